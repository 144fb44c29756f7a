package backtest

import (
	"encoding/json"
	"slices"
	"time"

	"nightlatch/internal/prose"
	"nightlatch/internal/settings"
)

// The JSON form of a Result. Names of others stand in it as the trail has them, and answers as a message would have them. Times are in UTC.
type (
	resultJSON struct {
		Schema     string         `json:"schema"`
		From       time.Time      `json:"from"`
		To         time.Time      `json:"to"`
		Since      time.Time      `json:"since,omitzero"`
		Policies   []sumJSON      `json:"policies"`
		Alarms     []alarmJSON    `json:"alarms"`
		Buckets    []bucketJSON   `json:"buckets"`
		Principals []rowJSON      `json:"principals"`
		Proposals  []proposalJSON `json:"proposals"`
		AtMost     int            `json:"at_most_a_month"`
		Unwatched  []string       `json:"unwatched_buckets,omitempty"`
		Holes      []spanJSON     `json:"holes"`
		Lost       []string       `json:"lost"`
		Limits     []string       `json:"limits"`
	}
	sumJSON struct {
		Policy    string    `json:"policy"`
		Alarms    int       `json:"alarms"`
		Contained int       `json:"contained"`
		Asked     int       `json:"asked"`
		Left      int       `json:"left"`
		Keys      []keyJSON `json:"keys,omitempty"`
	}
	keyJSON struct {
		ID    string `json:"access_key_id"`
		Owner string `json:"owner"`
	}
	alarmJSON struct {
		At        time.Time    `json:"at"`
		Until     time.Time    `json:"until"`
		Bucket    string       `json:"bucket"`
		Threshold limitJSON    `json:"threshold"`
		Most      int64        `json:"most_bytes"`
		Past      int64        `json:"past_seconds"`
		Judged    []judgedJSON `json:"judged"`
	}
	judgedJSON struct {
		Policy string `json:"policy"`
		Judged
	}
	limitJSON struct {
		Bytes  int64 `json:"bytes"`
		Period int64 `json:"period_seconds"`
	}
	bucketJSON struct {
		rowJSON
		Region     string      `json:"region"`
		Account    string      `json:"account_id"`
		Thresholds []limitJSON `json:"thresholds"`
	}
	rowJSON struct {
		Name string    `json:"name"`
		By   []sumJSON `json:"by_policy"`
	}
	proposalJSON struct {
		Bucket    string    `json:"bucket"`
		Now       limitJSON `json:"now"`
		Threshold limitJSON `json:"proposed"`
		Setting   string    `json:"setting"`
		Fires     int       `json:"fires"`
		FiresNow  int       `json:"fires_now"`
		// Missed are places in alarms, from 0.
		Missed []int `json:"missed"`
	}
	spanJSON struct {
		From time.Time `json:"from"`
		To   time.Time `json:"to"`
	}
)

// JSON is the result for machines.
func JSON(r Result) ([]byte, error) {
	out := resultJSON{Schema: Schema, From: r.From, To: r.To, Since: r.Since, Alarms: []alarmJSON{}, Buckets: []bucketJSON{}, Principals: []rowJSON{}, Proposals: []proposalJSON{},
		AtMost: r.AtMost, Unwatched: r.Unwatched, Holes: []spanJSON{}, Lost: append([]string{}, r.Lost...), Limits: r.Limits()}
	for n, p := range r.Policies {
		out.Policies = append(out.Policies, r.Sum(n).json(p))
	}
	for _, a := range r.Alarms {
		one := alarmJSON{At: a.At, Until: a.Until, Bucket: a.Bucket, Threshold: limit(a.Threshold), Most: a.Most, Past: int64(a.Past / time.Second)}
		for n, j := range a.Judged {
			one.Judged = append(one.Judged, judgedJSON{r.Policies[n], j})
		}
		out.Alarms = append(out.Alarms, one)
	}
	for _, row := range r.Buckets() {
		i := slices.IndexFunc(r.Series, func(s Series) bool { return s.Bucket == row.Name })
		b := bucketJSON{rowJSON: r.rowJSON(row), Region: r.Series[i].Region, Account: r.Series[i].Account}
		for _, t := range r.Series[i].Thresholds {
			b.Thresholds = append(b.Thresholds, limit(t))
		}
		out.Buckets = append(out.Buckets, b)
	}
	for _, row := range r.Principals() {
		out.Principals = append(out.Principals, r.rowJSON(row))
	}
	for _, p := range r.Propose(r.AtMost) {
		out.Proposals = append(out.Proposals, proposalJSON{p.Bucket, limit(p.Now), limit(p.Threshold), p.Bucket + "=" + p.Threshold.String(), p.Fires, p.FiresNow, append([]int{}, p.Missed...)})
	}
	for _, h := range r.Holes {
		out.Holes = append(out.Holes, spanJSON(h))
	}
	for i, l := range out.Lost {
		out.Lost[i] = prose.Plain(l)
	}
	return json.MarshalIndent(out, "", "  ")
}

func limit(t settings.Threshold) limitJSON { return limitJSON{t.Bytes, int64(t.Period / time.Second)} }

func (s Sum) json(policy string) sumJSON {
	out := sumJSON{Policy: policy, Alarms: s.Alarms, Contained: s.Contained, Asked: s.Asked, Left: s.Left}
	for _, id := range sortedKeys(s.Keys) {
		out.Keys = append(out.Keys, keyJSON{id, s.Keys[id]})
	}
	return out
}

func (r Result) rowJSON(row Row) rowJSON {
	out := rowJSON{Name: row.Name}
	for n, s := range row.By {
		s.Alarms = row.Alarms
		out.By = append(out.By, s.json(r.Policies[n]))
	}
	return out
}
