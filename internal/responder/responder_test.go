package responder_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/evidence"
	"nightlatch/internal/incident"
	"nightlatch/internal/notify"
	"nightlatch/internal/policy"
	"nightlatch/internal/report"
	"nightlatch/internal/responder"
	"nightlatch/internal/sandbox"
)

const (
	account   = "111122223333"
	stolen    = "AKIAEXAMPLESTOLEN001"
	neighbour = "AKIAEXAMPLENEIGHBOUR"
	nightly   = "AKIAEXAMPLENIGHTLY01"
	office    = "203.0.113.9"
	elsewhere = "198.51.100.77"
)

var (
	from  = time.Date(2026, 3, 4, 0, 7, 0, 0, time.UTC)
	fired = from.Add(4 * time.Minute)
)

// taker is one credential that takes bytes: a user's key, or, where role is set, a session of that role.
type taker struct {
	key, owner, role string
	// bytes are taken in the window, margin around it, all of them to ip.
	bytes, margin int64
	ip            string
	// stranger: it never read these buckets before. The others read them from the office, days ago.
	stranger bool
	// via is the service that called in its name; "" is none.
	via string
	// typ is the record's type where it names no user and no role: AWSService with via, or one that is on no list.
	typ string
	// copies are the objects that it had S3 copy out of the bucket.
	copies int64
}

func (k taker) principal() string {
	if k.role != "" {
		return "AROAEXAMPLE" + k.role
	}
	return "AIDAEXAMPLE" + k.owner
}

func (k taker) network() string { return k.ip[:strings.LastIndex(k.ip, ".")] }

// asking is one question that was asked, and whether its answer showed a taker in the window.
type asking struct {
	name  string
	found bool
}

// trail answers the questions from a few numbers, as an engine would print them. Late is when the theft becomes visible.
type trail struct {
	clock  *sandbox.Clock
	late   time.Time
	takers []taker
	// grows is by how much every taker's margin grows with each query round; crowd adds that many strangers to the margin with each.
	grows, crowd int64
	// always is returned by every question, errs by the next ones, one each.
	always error
	// sealed is the seal of every answer; "" is proved.
	sealed evidence.Sealed
	tagger evidence.Row
	// trust is who has changed whom a role trusts.
	trust evidence.Row
	// ordered are the calls that have services and strangers read.
	ordered []evidence.Row
	// copied are the copies out of buckets.
	copied []evidence.Row
	// minted are the calls that gave out credentials, by what they gave.
	minted map[string]evidence.Row
	// then are the takers of the windows that begin at next or later.
	next time.Time
	then []taker
	// at are the takers at a bucket, where they are others.
	at map[string][]taker
	// lastSeen is when the takers in then took their last; zero is in the first window.
	lastSeen time.Time
	// since is what the credentials have done since; nil is nothing.
	since []evidence.Row
	// beside are the callers within reach of a step, of one sort; aims are what was asked of.
	beside map[evidence.Sort][]string
	aims   []evidence.Aim
	// refused are the calls that a deny has stopped.
	refused []evidence.Row
	// unsteady is until when each query round finds a little more.
	unsteady time.Time
	// used is from which address credentials were used that took nothing.
	used map[string]string
	// failing is the question that is not answered; "" is none.
	failing string
	// engine is what it calls itself.
	engine string

	mu     sync.Mutex // two questions are asked at once
	errs   []error
	asked  []asking
	rounds int64
}

func (tr *trail) Ask(_ context.Context, q evidence.Question) (evidence.Answer, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.asked = append(tr.asked, asking{name: q.Name()})
	if tr.failing == q.Name() {
		return evidence.Answer{}, evidence.ErrBusy
	}
	if tr.always != nil {
		return evidence.Answer{}, tr.always
	}
	if len(tr.errs) > 0 {
		err := tr.errs[0]
		tr.errs = tr.errs[1:]
		if err != nil {
			return evidence.Answer{}, err
		}
	}
	answer := evidence.Answer{Engine: cmp.Or(tr.engine, "test"), Scanned: 1000, Seal: evidence.Seal{Sealed: cmp.Or(tr.sealed, evidence.Proved)}}
	switch q.Name() {
	case "usage":
		answer.Rows = tr.usage()
	case "callers":
		answer.Rows = tr.callers(q.(evidence.Callers))
	case "bystanders":
		tr.aims, answer.Rows = append(tr.aims, q.(evidence.Bystanders).Of...), tr.bystanders(q.(evidence.Bystanders))
	case "since":
		answer.Rows = tr.since
		if tr.since == nil {
			answer.Rows = []evidence.Row{{"part": "all", "calls": "0", "bytes": "0"}}
		}
	case "refused":
		answer.Rows = tr.refused
	case "lineage":
		answer.Rows = tr.lineage(q.(evidence.Lineage))
	case "trust":
		if tr.trust != nil {
			answer.Rows = []evidence.Row{tr.trust}
		}
	case "ordered":
		answer.Rows = tr.ordered
	case "copied":
		answer.Rows = tr.copied
	case "tagged":
		if tr.tagger != nil {
			answer.Rows = []evidence.Row{tr.tagger}
		}
	default:
		if tr.rounds++; !tr.clock.Now().Before(tr.late) {
			for _, w := range q.(evidence.Bytes).Windows {
				takers := tr.takers
				if there, ok := tr.at[w.Buckets[0]]; ok {
					takers = there
				}
				if tr.clock.Now().Before(tr.unsteady) {
					takers = slices.Clone(takers)
					takers[0].bytes += tr.rounds
				}
				if !tr.next.IsZero() && !w.From.Before(tr.next) {
					takers = tr.then
				}
				for _, row := range tr.bytes(takers, w.Buckets[0]) {
					if !tr.next.IsZero() && !w.From.Before(tr.next) && !tr.lastSeen.IsZero() && row["part"] == "actor" {
						row = with(row, "last_seen", fmt.Sprint(tr.lastSeen.Unix()))
					}
					answer.Rows = append(answer.Rows, with(row, "window_no", fmt.Sprint(q.(evidence.Bytes).Numbers()[w.ID])))
				}
			}
			tr.asked[len(tr.asked)-1].found = len(answer.Rows) > 0
		}
	}
	return answer, nil
}

// lineage are the calls that gave out what is asked for, or were made with it.
func (tr *trail) lineage(q evidence.Lineage) (rows []evidence.Row) {
	for _, gave := range slices.Sorted(maps.Keys(tr.minted)) {
		row := tr.minted[gave]
		part := "made"
		if slices.Contains(q.Given, gave) {
			part = "given"
		}
		if part == "given" || slices.Contains(q.Keys, row["access_key_id"]) || slices.Contains(q.Sessions, row["principal_id"]) {
			rows = append(rows, with(row, "part", part, "gave", gave, "event_id", "event-"+gave))
		}
	}
	for i, row := range rows {
		places := 0
		for _, other := range rows {
			if other["part"] == row["part"] {
				places++
			}
		}
		rows[i]["places"] = fmt.Sprint(places)
	}
	return rows
}

func (tr *trail) usage() (rows []evidence.Row) {
	seen := map[string]bool{}
	for _, k := range slices.Concat(tr.takers, tr.then) {
		if k.stranger || seen[k.principal()] {
			continue
		}
		seen[k.principal()] = true
		at := map[string]string{"principal": k.principal(), "access_key_id": k.key, "network": "203.0.113", "vpc_endpoint": "",
			"vpc_endpoint_account": "", "signing": "header", "source_ip": office, "days": "4", "most_bytes": "5000.0", "bytes": "5000.0",
			"object_days": "4", "object_bytes": "12000.0", "object_most": "5000.0", "object_second": "4000.0", "new_days": "1", "first_clock": "32400", "last_clock": "61200",
			"signed_in": "0", "users": "1", "object": "a", "other_object": "b", "looked": "0", "product": "", "other_product": "", "all_places": "1",
			"first_seen": fmt.Sprintf("%.1f", float64(from.AddDate(0, 0, -9).Unix())), "last_seen": fmt.Sprint(from.AddDate(0, 0, -4).Unix()), "places": "1"}
		if k.ip == office { // whoever works there has always taken so much
			at["object_most"] = fmt.Sprint(max(5000, k.bytes))
		}
		rows = append(rows, with(at, "part", "principal"), with(at, "part", "place"), with(at, "part", "origin"))
	}
	return rows
}

// callers are from where the takers' credentials were used: those that called the buckets from the office, the others from where nobody knows.
func (tr *trail) callers(q evidence.Callers) (rows []evidence.Row) {
	seen := map[string]bool{}
	for _, k := range slices.Concat(tr.takers, tr.then) {
		id := k.key
		if k.role != "" {
			id = k.principal() + ":" + k.owner
		}
		if seen[id] || k.stranger && !slices.Contains(q.Credentials, id) || len(q.Buckets) == 0 && !slices.Contains(q.Credentials, id) {
			continue
		}
		seen[id] = true
		rows = append(rows, usedAt(id, office))
	}
	for _, id := range slices.Sorted(maps.Keys(tr.used)) {
		if slices.Contains(q.Credentials, id) {
			rows = append(rows, usedAt(id, tr.used[id]))
		}
	}
	return rows
}

// usedAt is a row of callers.
func usedAt(id, ip string) evidence.Row {
	return evidence.Row{"credential": id, "vpc_endpoint": "", "vpc_endpoint_account": "", "source_ip": ip, "first_seen": fmt.Sprint(from.AddDate(0, 0, -6).Unix()),
		"last_seen": fmt.Sprint(from.Add(-40 * time.Minute).Unix()), "hours": "160", "days": "7", "clocks": "24", "first_clock": "0", "services": "2", "service": "s3.amazonaws.com",
		"other_service": "sqs.amazonaws.com", "programs": "1", "program": "aws-cli", "other_program": "aws-cli", "buckets": "1", "bucket": "exports", "other_bucket": "exports", "places": "1"}
}

// bystanders are the same within reach of each step, without those that are not asked about.
func (tr *trail) bystanders(q evidence.Bystanders) (rows []evidence.Row) {
	rows = []evidence.Row{{"aim": "-1", "sort": "held", "caller": "held", "source_ip": office, "vpc_endpoint": "", "callers": "1", "fresh": "0",
		"first_seen": fmt.Sprint(from.AddDate(0, 0, -14).Unix()), "last_seen": fmt.Sprint(from.AddDate(0, 0, -13).Unix())}}
	for i, aim := range q.Of {
		for _, sort := range slices.Sorted(maps.Keys(tr.beside)) {
			others := slices.DeleteFunc(slices.Clone(tr.beside[sort]), func(id string) bool { return slices.Contains(aim.Without, id) })
			for _, id := range others[:min(len(others), 10)] {
				rows = append(rows, evidence.Row{"aim": fmt.Sprint(i), "sort": string(sort), "caller": id, "source_ip": office, "vpc_endpoint": "", "callers": fmt.Sprint(len(others)), "fresh": "0",
					"first_seen": fmt.Sprint(from.AddDate(0, 0, -9).Unix()), "last_seen": fmt.Sprint(from.Add(-40 * time.Minute).Unix())})
			}
		}
	}
	return rows
}

func (tr *trail) bytes(takers []taker, bucket string) (rows []evidence.Row) {
	takers = slices.Clone(takers)
	for i := range tr.crowd * tr.rounds {
		takers = append(takers, taker{key: fmt.Sprintf("AKIAEXAMPLECROWD%04d", i), owner: fmt.Sprint("crowd", i), margin: 1, ip: elsewhere})
	}
	slices.SortStableFunc(takers, func(x, y taker) int { return cmp.Or(cmp.Compare(y.bytes, x.bytes), cmp.Compare(y.margin, x.margin)) })
	places := fmt.Sprint(len(takers))
	var bytes, margin, calls int64
	for i, k := range takers {
		n, around := int64(0), k.margin+tr.grows*tr.rounds
		if k.bytes+k.copies > 0 {
			n = 3
		}
		bytes, margin, calls = bytes+k.bytes, margin+around, calls+n
		if i >= evidence.MaxActors {
			continue
		}
		row := with(numbers(k.bytes, around, n), "copies", fmt.Sprint(k.copies))
		for column, v := range map[string]string{"actor": k.key + k.via, "invoked_by": k.via, "source_ip": k.ip, "type": "IAMUser", "principal_id": k.principal(),
			"arn": "arn:aws:iam::" + account + ":user/" + k.owner, "account_id": account, "access_key_id": k.key, "user_name": k.owner, "principal": k.principal()} {
			row[column] = v
		}
		if k.role != "" {
			for column, v := range map[string]string{"type": "AssumedRole", "principal_id": k.principal() + ":" + k.owner, "user_name": "", "issuer_user_name": k.role,
				"arn": "arn:aws:sts::" + account + ":assumed-role/" + k.role + "/" + k.owner, "issuer_arn": "arn:aws:iam::" + account + ":role/" + k.role} {
				row[column] = v
			}
		}
		if k.typ != "" {
			for column, v := range map[string]string{"type": k.typ, "actor": k.typ + k.via, "principal": k.typ, "principal_id": "", "arn": "", "account_id": "", "access_key_id": "", "user_name": ""} {
				row[column] = v
			}
		}
		if k.typ == "AWSAccount" { // without a signature
			row["account_id"] = "anonymous"
		}
		rows = append(rows, with(row, "part", "actor", "places", places), with(row, "part", "origin", "name", k.network()),
			with(row, "part", "bucket", "name", bucket), with(row, "part", "call", "name", "GetObject"))
	}
	if calls+margin > 0 {
		rows = append(rows, with(numbers(bytes, margin, calls), "part", "all"))
	}
	return rows
}

// numbers is a row that counts so much, and names nobody.
func numbers(bytes, margin, calls int64) map[string]string {
	row := map[string]string{"window_no": "1", "signing": "header", "listing_bytes": "0", "error_bytes": "0.0", "margin_bytes": fmt.Sprint(margin), "calls": fmt.Sprint(calls),
		"unsized": "0", "copies": "0", "torn": "0", "amended": "0", "past_calls": "0", "past_bytes": "0", "objects": fmt.Sprint(calls), "first_seen": "0", "last_seen": "0.0", "places": "1"}
	for _, column := range []string{"actor", "name", "vpc_endpoint", "vpc_endpoint_account", "source_ip", "type", "principal_id", "arn", "account_id", "access_key_id",
		"user_name", "issuer_arn", "issuer_user_name", "invoked_by", "on_behalf_of", "source_identity", "provider", "principal"} {
		row[column] = ""
	}
	row["bytes"], row["object_bytes"], row["signed_bytes"] = fmt.Sprint(float64(bytes)), fmt.Sprint(float64(bytes)), fmt.Sprint(bytes)
	row["object"], row["other_object"] = "a", "b"
	if calls > 0 {
		row["first_seen"], row["last_seen"] = fmt.Sprint(from.Unix()), fmt.Sprint(from.Unix()+50)
	}
	return row
}

// questions counts the questions of a name.
func (tr *trail) questions(name string) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	n := 0
	for _, a := range tr.asked {
		if a.name == name {
			n++
		}
	}
	return n
}

func with(row map[string]string, kv ...string) evidence.Row {
	out := evidence.Row{}
	for k, v := range row {
		out[k] = v
	}
	for i := 0; i < len(kv); i += 2 {
		out[kv[i]] = kv[i+1]
	}
	return out
}

// meter counts its readings.
type meter struct {
	sandbox.Meter
	mu   sync.Mutex
	read int
	errs []error
	// shown is what the next readings show, one each; after them the whole.
	shown []int64
}

func (m *meter) Read(ctx context.Context, a alarm.Alarm) (alarm.Reading, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read++
	if len(m.errs) > 0 {
		err := m.errs[0]
		m.errs = m.errs[1:]
		if err != nil {
			return alarm.Reading{}, err
		}
	}
	if len(m.shown) > 0 {
		n := m.shown[0]
		m.shown = m.shown[1:]
		less := sandbox.Meter{Threshold: m.Threshold, Buckets: map[string][]alarm.Point{"exports": {{Start: from, Bytes: n}}}}
		return less.Read(ctx, a)
	}
	return m.Meter.Read(ctx, a)
}

// shipped is loaded once: that is not an incident's cost.
var shipped = sync.OnceValue(policy.Shipped)

// world is a responder in a small account: mara has two keys, one of them stolen.
type world struct {
	responder.Responder
	account *sandbox.Account
	clock   *sandbox.Clock
	trail   *trail
	meter   *meter
	channel *sandbox.Channel
	tags    map[string]string // mara's
}

// thief is mara's stolen key, taking so much to a network it was never seen in.
func thief(bytes int64) taker { return taker{key: stolen, owner: "mara", bytes: bytes, ip: elsewhere} }

// job is another key, of a machine that reads what it always reads.
func job(bytes int64) taker { return taker{key: nightly, owner: "nightly", bytes: bytes, ip: office} }

func newWorld() *world {
	w := &world{account: sandbox.NewAccount(account), clock: sandbox.NewClock(fired), channel: &sandbox.Channel{}, tags: map[string]string{}}
	w.account.AddUser("mara", w.tags, sandbox.Key{ID: stolen, Status: "Active"}, sandbox.Key{ID: neighbour, Status: "Active"})
	w.account.AddUser("nightly", nil, sandbox.Key{ID: nightly, Status: "Active"})
	w.trail = &trail{clock: w.clock, takers: []taker{thief(1_000_000)}}
	w.meter = &meter{Meter: sandbox.Meter{Threshold: 100_000, Buckets: map[string][]alarm.Point{"exports": {{Start: from, Bytes: 1_000_000}}}}}
	w.Responder = responder.Responder{Meter: w.meter, Trail: w.trail, Account: w.account, Store: &incident.Memory{},
		Channels: []notify.Channel{w.channel}, Clock: w.clock, Log: slog.New(slog.DiscardHandler), Mode: containment.ModeAct,
		Ours: actor.Accounts(account), Policy: policy.Ready(shipped())}
	return w
}

// noPolicy is a policy that cannot be loaded.
func noPolicy(why string) func() (*policy.Policy, error) {
	return func() (*policy.Policy, error) { return nil, errors.New(why) }
}

func event(bytes int64) []byte {
	return fmt.Appendf(nil, `{"source":"aws.cloudwatch","alarmArn":"arn:aws:cloudwatch:eu-west-1:111122223333:alarm:nightlatch-exports",
"accountId":"111122223333","region":"eu-west-1","alarmData":{"alarmName":"nightlatch-exports","state":{"value":"ALARM",
"timestamp":"2026-03-04T00:11:00.000+0000","reasonData":"{\"period\":60,\"threshold\":100000.0,\"evaluatedDatapoints\":[{\"timestamp\":\"2026-03-04T00:07:00.000+0000\",\"value\":%d.0}]}"},
"configuration":{"metrics":[{"id":"m1","returnData":true,"metricStat":{"metric":{"namespace":"AWS/S3","name":"BytesDownloaded",
"dimensions":{"BucketName":"exports","FilterId":"EntireBucket"}},"period":60,"stat":"Sum"}}]}}}`, bytes)
}

func (w *world) handle(t *testing.T) incident.Record {
	t.Helper()
	return w.deliver(t, event(1_000_000))
}

func (w *world) deliver(t *testing.T, event []byte) incident.Record {
	t.Helper()
	handled, err := w.Handle(context.Background(), event, nil)
	if err != nil {
		t.Fatal(err)
	}
	return handled.Record
}

// message is the one message that the team has got.
func (w *world) message(t *testing.T) report.Message {
	t.Helper()
	sent := w.channel.Sent()
	if len(sent) != 1 {
		t.Fatalf("the team got %d messages, want 1: %q", len(sent), sent)
	}
	return sent[0]
}

// headline is the headline of the one message.
func (w *world) headline(t *testing.T, want string) {
	t.Helper()
	m := w.message(t)
	if !strings.HasPrefix(m.Subject, "[nightlatch] "+want+": ") || !strings.HasPrefix(m.Body, want+"\n") {
		t.Errorf("got %q, want the headline %q:\n%s", m.Subject, want, m.Body)
	}
}

// took checks how long after the alarm fired the incident was closed.
func (w *world) took(t *testing.T, least, most time.Duration) {
	t.Helper()
	if d := w.clock.Now().Sub(fired); d < least || d > most {
		t.Errorf("it took %v, want %v to %v", d, least, most)
	}
}

// state is the state of the one outcome there is.
func state(t *testing.T, r incident.Record) containment.State {
	t.Helper()
	if len(r.Outcomes) != 1 {
		t.Fatalf("got %d outcomes, want 1: %+v", len(r.Outcomes), r.Outcomes)
	}
	return r.Outcomes[0].State
}

func (w *world) keys(t *testing.T, stolenStatus string) {
	t.Helper()
	if got := w.account.Status(stolen); got != stolenStatus {
		t.Errorf("the stolen key is %s, want %s", got, stolenStatus)
	}
	if got := w.account.Status(neighbour); got != "Active" {
		t.Errorf("the neighbour's key is %s, want Active", got)
	}
}

func TestAStolenKeyIsDeactivatedAndTheTeamNotified(t *testing.T) {
	w := newWorld()
	r := w.handle(t)
	if got := state(t, r); got != containment.Done {
		t.Errorf("got %s, want done: %+v", got, r.Outcomes)
	}
	w.keys(t, "Inactive")
	sent := w.channel.Sent()
	if len(sent) != 1 || !strings.Contains(sent[0].Subject, "CONTAINED: "+stolen) || !strings.Contains(sent[0].Body, "--status Active") {
		t.Errorf("got messages %q, want one with the key and the undo line", sent)
	}
}

// The critical path: once the evidence is there, one bytes query, one IAM write, and at most six other calls.
func TestTheCriticalPathIsShort(t *testing.T) {
	w := newWorld()
	w.trail.late = from.Add(6 * time.Minute) // the settling time is over at 00:13
	w.Trail = heard{w.trail, func(q evidence.Question) {
		if status := w.account.Status(stolen); q.Name() == "lineage" && status != containment.Inactive {
			t.Errorf("the lineage is asked for while the key is %s", status)
		}
	}}
	r := w.handle(t)
	if got := state(t, r); got != containment.Done {
		t.Fatalf("got %s, want done: %+v", got, r.Outcomes)
	}
	first := slices.IndexFunc(w.trail.asked, func(a asking) bool { return a.found })
	if first < 1 {
		t.Fatalf("the evidence came with question %d: nothing was late", first)
	}
	if after := w.trail.asked[first+1:]; !slices.Equal(after, []asking{{"bytes", true}, {"lineage", false}}) {
		t.Errorf("after the query that found the evidence came %v, want the one that confirms it, and, once the key is off, the lineage", after)
	}
	if n := w.trail.questions("usage"); n != 1 {
		t.Errorf("the history was asked for %d times, want once, before there was evidence", n)
	}
	if n := count(w.account.Calls(), "Write"); n != 1 {
		t.Errorf("got %d writes, want 1", n)
	}
	if others := len(w.account.Calls()) - 1 + len(w.channel.Sent()); others > 6 {
		t.Errorf("got %d other calls, want at most 6: %v", others, w.account.Calls())
	}
	rounds := 0
	for _, l := range r.Rounds {
		if l.Bytes > 0 {
			rounds++
		}
	}
	if rounds != 2 {
		t.Errorf("got %d query rounds that saw the evidence, want the one that found it and the one that confirms it", rounds)
	}
	if w.took(t, 2*time.Minute, 2*time.Minute+30*time.Second); w.meter.read != 2 {
		t.Errorf("the metric was read %d times, want once, and once more to see that it stays", w.meter.read)
	}
}

// heard is a trail whose questions somebody hears first.
type heard struct {
	evidence.Trail
	hear func(evidence.Question)
}

func (h heard) Ask(ctx context.Context, q evidence.Question) (evidence.Answer, error) {
	h.hear(q)
	return h.Trail.Ask(ctx, q)
}

func count(list []string, what string) int {
	n := 0
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

func TestObserveAndAskWriteNothing(t *testing.T) {
	for mode, want := range map[containment.Mode]containment.State{containment.ModeObserve: containment.DryRun,
		containment.ModeAsk: containment.Asked, "": containment.Asked} {
		w := newWorld()
		w.Mode = mode
		if got := state(t, w.handle(t)); got != want {
			t.Errorf("mode %q: got %s, want %s", mode, got, want)
		}
		if n := count(w.account.Calls(), "Write"); n != 0 {
			t.Errorf("mode %q: got %d writes, want none", mode, n)
		}
		w.keys(t, "Active")
		if len(w.channel.Sent()) != 1 {
			t.Errorf("mode %q: the team got %d messages, want 1", mode, len(w.channel.Sent()))
		}
	}
}

func TestASecondDeliveryChangesNothing(t *testing.T) {
	w := newWorld()
	first := w.handle(t)
	calls := len(w.account.Calls())
	second := w.handle(t)
	if first.ID != second.ID || first.Version != second.Version {
		t.Errorf("got incident %s version %d, want %s version %d again", second.ID, second.Version, first.ID, first.Version)
	}
	if len(w.account.Calls()) != calls || len(w.channel.Sent()) != 1 {
		t.Errorf("the second delivery made calls or sent messages")
	}
	undo := first.Outcomes[0].Undo
	if !strings.HasSuffix(undo, "--access-key-id "+stolen+" --status Active") {
		t.Fatalf("the undo line is %q", undo)
	}
	// In a new process nothing is remembered; the account still is as it shall be, and whoever reads only this can undo it.
	w.Store, w.channel = &incident.Memory{}, &sandbox.Channel{}
	w.clock = sandbox.NewClock(fired.Add(time.Hour))
	w.Clock, w.trail.clock, w.Channels = w.clock, w.clock, []notify.Channel{w.channel}
	again := w.handle(t)
	if got := state(t, again); got != containment.Already || again.Outcomes[0].Undo != undo {
		t.Errorf("in a new process: got %s with undo %q, want already with %q", got, again.Outcomes[0].Undo, undo)
	}
	w.headline(t, "ALREADY OFF")
	if body := w.message(t).Body; !strings.Contains(body, "\nTo undo        "+undo+"\n") || !strings.Contains(unwrap(body), "it reads as Inactive: an earlier run of this incident did it, or somebody else") {
		t.Errorf("the message does not say who did it and how to undo it:\n%s", body)
	}
	if n := count(w.account.Calls(), "Write"); n != 1 {
		t.Errorf("got %d writes, want 1", n)
	}
}

func TestFaults(t *testing.T) {
	timeout := errors.New("the connection timed out")
	refused := fmt.Errorf("the responder may not call iam:UpdateAccessKey: %w", containment.ErrNotDone)
	many := func(n int, err error) []error { return slices.Repeat([]error{err}, n) }
	for name, c := range map[string]struct {
		break_    func(*world)
		state     containment.State
		key       string
		says      string
		unwritten bool
	}{
		"a write that times out after it took effect": {func(w *world) { w.account.Fail("Write", sandbox.ErrAfter{Err: timeout}) },
			containment.Done, "Inactive", "CONTAINED", false},
		"a write that times out and did not happen": {func(w *world) { w.account.Fail("Write", timeout) },
			containment.Unknown, "Active", "tried, and not seen done", false},
		"a write that is refused": {func(w *world) { w.account.Fail("Write", refused) },
			containment.Failed, "Active", "may not call iam:UpdateAccessKey", false},
		"a read-back that fails for a while": {func(w *world) { w.account.Fail("Read", nil, timeout, timeout) },
			containment.Done, "Inactive", "CONTAINED", false},
		"a read-back that never works": {func(w *world) { w.account.Fail("Read", append([]error{nil}, many(20, timeout)...)...) },
			containment.Unknown, "Inactive", "STATE UNKNOWN", false},
		"an identification that is denied": {func(w *world) { w.account.Fail("Identify", errors.New("the responder may not call iam:GetUser")) },
			containment.Asked, "Active", "may not call iam:GetUser", true},
		"a metric that cannot be read": {func(w *world) {
			w.meter.errs = many(9, errors.New("the responder may not call cloudwatch:GetMetricData"))
		},
			containment.Asked, "Active", "may not call cloudwatch:GetMetricData", true},
		"a metric that can be read later": {func(w *world) { w.meter.errs = many(2, timeout) },
			containment.Done, "Inactive", "CloudWatch confirms", false},
		"a policy that did not load": {func(w *world) { w.Policy = noPolicy("policy.cedar:3: it does not parse") },
			containment.Asked, "Active", "policy.cedar:3: it does not parse", true},
		"evidence that comes late": {func(w *world) { w.trail.late = fired.Add(9 * time.Minute) },
			containment.Done, "Inactive", "CONTAINED", false},
		"evidence that comes too late for two query rounds": {func(w *world) { w.trail.late = fired.Add(incident.Patience) },
			containment.Asked, "Active", "NOT COMPLETE", true},
		"query slots that are full for a while": {func(w *world) { w.trail.errs = many(6, evidence.ErrBusy) },
			containment.Done, "Inactive", "somebody may be filling them", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			c.break_(w)
			r := w.handle(t)
			if got := state(t, r); got != c.state {
				t.Errorf("got %s, want %s: %+v", got, c.state, r.Outcomes)
			}
			w.keys(t, c.key)
			if sent := w.channel.Sent(); len(sent) != 1 || !strings.Contains(unwrap(sent[0].Body), c.says) {
				t.Errorf("got messages %q, want one that says %q", sent, c.says)
			}
			if n := count(w.account.Calls(), "Write"); (n == 0) != c.unwritten {
				t.Errorf("got %d writes, want none: %v", n, c.unwritten)
			}
			if r.Closed.IsZero() {
				t.Error("the incident is not closed")
			}
		})
	}
}

// unwrap undoes the wrapping of a body's lines.
func unwrap(body string) string { return strings.Join(strings.Fields(body), " ") }

// Blinded: whoever keeps the query slots full keeps Nightlatch from seeing, and not from notifying.
func TestTheTeamIsNotifiedOfATrailThatNeverAnswers(t *testing.T) {
	w := newWorld()
	w.trail.always = evidence.ErrBusy
	r := w.handle(t)
	if len(r.Outcomes) != 0 || len(r.Verdicts) != 0 {
		t.Errorf("got outcomes %v and verdicts %v, want none", r.Outcomes, r.Verdicts)
	}
	if r.Evidence.Explained != nil || r.Evidence.Unexplained != nil || r.Evidence.Engine != "" || r.Evidence.Complete || r.History != nil {
		t.Errorf("something is known: %+v", r.Evidence)
	}
	// Somebody may keep the slots full so that we give up asking for the history: it is asked for in every query round.
	if n := w.trail.questions("usage"); r.HistoryAsked != 0 || n != len(r.Rounds) || n <= incident.MaxHistory {
		t.Errorf("the history was asked for %d times in %d query rounds, and %d of them count", n, len(r.Rounds), r.HistoryAsked)
	}
	w.headline(t, "COULD NOT QUERY")
	w.took(t, incident.Patience, incident.Patience)
	for _, says := range []string{"CloudTrail could not be asked: no query slot was free", "somebody may be filling them", "Unexplained everything: CloudTrail has not answered", "there is NO EVIDENCE"} {
		if body := unwrap(w.message(t).Body); !strings.Contains(body, says) {
			t.Errorf("the message does not say %q:\n%s", says, body)
		}
	}
	text, err := report.JSON(r)
	if err != nil || !strings.Contains(string(text), `"explained": null`) || strings.Contains(string(text), `"explained": 0`) {
		t.Errorf("the JSON does not say that it is not known how much is explained, %v:\n%s", err, text)
	}
}

func TestATeamThatCannotBeNotifiedIsAnError(t *testing.T) {
	w := newWorld()
	w.channel.Err = errors.New("the topic is gone")
	handled, err := w.Handle(context.Background(), event(1_000_000), nil)
	if !errors.Is(err, responder.ErrNotDelivered) {
		t.Errorf("got error %v, want ErrNotDelivered: a retry can help", err)
	}
	if got := state(t, handled.Record); got != containment.Done {
		t.Errorf("got %s, want done: the key is off all the same", got)
	}
}

// other is a channel beside the world's own.
type other struct{ sandbox.Channel }

func (*other) Name() string { return "other" }

func TestAChannelThatFailsDoesNotStopTheOthers(t *testing.T) {
	for _, failing := range []int{0, 1} {
		w, second := newWorld(), &other{}
		w.Channels = append(w.Channels, second)
		channels := []*sandbox.Channel{w.channel, &second.Channel}
		channels[failing].Err = errors.New("the topic is gone")
		r := w.handle(t)
		if sent := channels[1-failing].Sent(); len(sent) != 1 || r.Undelivered() {
			t.Errorf("channel %d fails: the other sent %d messages, undelivered %t", failing, len(sent), r.Undelivered())
		}
		if n := r.Notified[failing]; n.Error == "" || n.Tries < 2 {
			t.Errorf("channel %d fails: the record says %+v", failing, n)
		}
	}
}

// program is a channel that a program reads, and that takes its time.
type program struct {
	sandbox.Channel
	clock *sandbox.Clock
	slow  time.Duration
	ids   []string
}

func (*program) Name() string { return incident.WebhookChannel + "a" }

func (p *program) Send(ctx context.Context, m report.Message) error {
	p.ids = append(p.ids, m.ID)
	if err := p.clock.Wait(ctx, p.clock.Now().Add(p.slow)); err != nil {
		return err
	}
	return p.Channel.Send(ctx, m)
}

func TestThatAProgramHasTheMessageSaysOfNobodyThatHeHeard(t *testing.T) {
	w := newWorld()
	hook := &program{clock: w.clock}
	w.Channels = append(w.Channels, hook)
	w.channel.Err = errors.New("the topic is gone")
	handled, err := w.Handle(context.Background(), event(1_000_000), nil)
	if !errors.Is(err, responder.ErrNotDelivered) || !strings.Contains(err.Error(), "the topic is gone") || len(hook.Sent()) != 1 || handled.Record.Heard() {
		t.Errorf("got %v; the program has %d messages", err, len(hook.Sent()))
	}
	if sent := hook.Sent()[0]; sent.Kind != incident.Answer || len(sent.Of) != 1 || sent.Of[0].ID != handled.Record.ID || sent.Place != handled.Record.Where() {
		t.Errorf("it got %q about %d incidents", sent.Kind, len(sent.Of))
	}
}

// A webhook that is slow and fails costs its own time, and the key is off as early as without it. Each try has the same id.
func TestASlowProgramHoldsNobodyUp(t *testing.T) {
	alone := newWorld()
	want := alone.handle(t)
	w := newWorld()
	hook := &program{clock: w.clock, slow: 8 * time.Second}
	hook.Err = errors.New("it did not answer in time")
	w.Channels = append(w.Channels, hook)
	r := w.handle(t)
	if got := r.Outcomes[0]; state(t, r) != containment.Done || !got.At.Equal(want.Outcomes[0].At) {
		t.Errorf("the key is %s at %s, and without the webhook at %s", got.State, got.At, want.Outcomes[0].At)
	}
	if sent := w.channel.Sent(); len(sent) != 1 || r.Undelivered() || !r.Notified[0].At.Equal(want.Notified[0].At) {
		t.Errorf("the team got %d messages, at %s and without the webhook at %s", len(sent), r.Notified[0].At, want.Notified[0].At)
	}
	id := r.ID + "-answer-1"
	if n := r.Notified[1]; n.Tries != 5 || n.Error == "" || !slices.Equal(hook.ids, []string{id, id, id, id, id}) {
		t.Errorf("got %+v by %q", n, hook.ids)
	}
}

// A second delivery in the same process finds the incident closed: it is what Lambda and SNS do after the error.
func TestAnAlarmWhoseMessageWasNotDeliveredIsNotifiedAgain(t *testing.T) {
	w := newWorld()
	w.channel.Err = errors.New("the topic is gone")
	first, err := w.Handle(context.Background(), event(1_000_000), nil)
	if !errors.Is(err, responder.ErrNotDelivered) || first.Record.Closed.IsZero() {
		t.Fatalf("got %v, closed %v, want ErrNotDelivered and a closed incident", err, first.Record.Closed)
	}
	tries := first.Record.Notified[0].Tries
	// Still nobody is notified: that is still an error, after as many tries as before.
	second, err := w.Handle(context.Background(), event(1_000_000), nil)
	if n := second.Record.Notified[0]; !errors.Is(err, responder.ErrNotDelivered) || n.Tries != tries || n.Error == "" {
		t.Errorf("got %v after %+v, want ErrNotDelivered after %d tries again", err, n, tries)
	}
	w.channel.Err = nil
	calls, asked := len(w.account.Calls()), len(w.trail.asked)
	r := w.handle(t)
	if got := state(t, r); got != containment.Done || r.Undelivered() || r.Closed.IsZero() || r.ID != first.Record.ID {
		t.Errorf("got %s, undelivered %t, closed %v of incident %s", got, r.Undelivered(), r.Closed, r.ID)
	}
	w.headline(t, "CONTAINED")
	if body := w.message(t).Body; !strings.Contains(body, "delivered to nobody: notifying again") || !strings.Contains(body, "To undo ") {
		t.Errorf("the message does not say that it comes late, or how to undo what was done:\n%s", body)
	}
	if len(w.account.Calls()) != calls || len(w.trail.asked) != asked {
		t.Error("notifying again asked the account or the trail")
	}
	// Now it was delivered: a third delivery of the event says nothing.
	if version := w.handle(t).Version; version != r.Version || len(w.channel.Sent()) != 1 {
		t.Errorf("a third delivery made version %d of %d and %d messages", version, r.Version, len(w.channel.Sent()))
	}
}

func manual(window time.Duration, key string) []byte {
	return fmt.Appendf(nil, `{"nightlatch":{"investigate":{"bucket":"exports","from":%q,"to":%q,"access_key_id":%q}}}`,
		from.Format(time.RFC3339), from.Add(window).Format(time.RFC3339), key)
}

// Where waiting can bring nothing, the team is not kept waiting.
func TestNothingIsWaitedForInVain(t *testing.T) {
	for name, c := range map[string]struct {
		event    []byte
		break_   func(*world)
		headline string
		says     string
		most     time.Duration
		rounds   int
		readings int
	}{
		"an alarm without buckets": {[]byte(strings.Replace(string(event(1_000_000)), `"BucketName":"exports",`, "", 1)), func(*world) {},
			"COULD NOT QUERY", "The alarm names no bucket to ask about", 0, 0, 1},
		"a manual event": {manual(time.Minute, stolen), func(w *world) { w.clock = sandbox.NewClock(fired.Add(time.Hour)) },
			"DECIDE", "You asked " + stolen + " took 977 KiB", 30 * time.Second, 2, 1},
		"a manual event about little": {manual(time.Minute, nightly), func(w *world) {
			w.clock = sandbox.NewClock(fired.Add(time.Hour))
			w.trail.takers = []taker{thief(50_000), job(20_000)}
		}, "DECIDE", "You asked " + nightly + " took 19.5 KiB", 30 * time.Second, 2, 1},
		"a manual event about nothing": {manual(time.Minute, "AKIAEXAMPLENOBODY001"), func(w *world) {
			w.clock = sandbox.NewClock(fired.Add(time.Hour))
			w.trail.takers = nil
		}, "NOBODY FOUND", "You asked AKIAEXAMPLENOBODY001 is not among the actors", 30 * time.Second, 2, 1},
		"a manual event that the metric does not know": {manual(time.Minute, stolen), func(w *world) {
			w.clock = sandbox.NewClock(fired.Add(time.Hour))
			w.meter.Buckets = nil
		}, "DECIDE", "NOT CONFIRMED by CloudWatch", 3 * time.Minute, 4, 4},
		"an alarm that the metric does not confirm": {event(1_000_000), func(w *world) {
			w.clock = sandbox.NewClock(fired.Add(time.Hour))
			w.meter.Buckets = map[string][]alarm.Point{"exports": {{Start: from, Bytes: 10}}}
			w.trail.takers = nil
		}, "NOBODY FOUND", "NOT CONFIRMED by CloudWatch", 3 * time.Minute, 4, 4},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			c.break_(w)
			w.Clock, w.trail.clock = w.clock, w.clock
			begin := w.clock.Now()
			r := w.deliver(t, c.event)
			if d := w.clock.Now().Sub(begin); d > c.most {
				t.Errorf("it took %v, want at most %v", d, c.most)
			}
			if len(r.Rounds) != c.rounds || w.meter.read != c.readings || r.MetricRead != c.readings {
				t.Errorf("got %d query rounds and %d readings of the metric, want %d and %d", len(r.Rounds), w.meter.read, c.rounds, c.readings)
			}
			w.headline(t, c.headline)
			if body := unwrap(w.message(t).Body); !strings.Contains(body, c.says) {
				t.Errorf("the message does not say %q:\n%s", c.says, body)
			}
			if n := count(w.account.Calls(), "Write"); n != 0 {
				t.Errorf("got %d writes, want none", n)
			}
		})
	}
	// The other way about: bytes that CloudWatch confirms and CloudTrail does not show yet are waited for.
	w := newWorld()
	w.trail.takers = nil
	w.handle(t)
	w.headline(t, "NOBODY FOUND")
	w.took(t, incident.Patience, incident.Patience)
}

func TestOneTaggedQuestionARole(t *testing.T) {
	w := newWorld()
	w.account.AddRole("web", map[string]string{"nightlatch:protect": "yes"})
	w.trail.takers = nil
	for i := range 49 {
		w.trail.takers = append(w.trail.takers, taker{key: fmt.Sprintf("ASIAEXAMPLEWEB0000%02d", i), owner: fmt.Sprint("i-", i), role: "web", bytes: 20_000, ip: elsewhere})
	}
	w.trail.tagger = evidence.Row{"at": fmt.Sprint(from.Add(-time.Hour).Unix()), "call": "TagRole", "arn": "arn:aws:iam::" + account + ":user/eve", "access_key_id": "AKIAEXAMPLEEVE000001", "source_ip": elsewhere}
	r := w.handle(t)
	if n := w.trail.questions("tagged"); n != 1 {
		t.Errorf("got %d questions about one role's tag, want 1", n)
	}
	if len(r.Verdicts) != 49 || len(r.Outcomes) != 49 {
		t.Fatalf("got %d verdicts and %d outcomes, want 49", len(r.Verdicts), len(r.Outcomes))
	}
	for i, v := range r.Verdicts {
		if v.Decision != policy.Ask || v.TaggedBy != "arn:aws:iam::"+account+":user/eve with key AKIAEXAMPLEEVE000001 from 198.51.100.0/24 at 2026-03-03 23:07:00 (TagRole)" {
			t.Errorf("verdict %d is %q, tagged by %q", i, v.Decision, v.TaggedBy)
		}
	}
	if n := w.trail.questions("lineage"); n != 1 || len(r.Lineage.Nodes) != 5 {
		t.Errorf("%d questions followed %d of the 49 sessions back, want 5 in one", n, len(r.Lineage.Nodes))
	}
	if want := w.trail.questions("bytes") + w.trail.questions("usage") + w.trail.questions("callers") + 2; r.Evidence.Queries != want || !r.Enriched {
		t.Errorf("%d questions are billed, want %d", r.Evidence.Queries, want)
	}
	w.headline(t, "DECIDE")

	// Two roles are two questions.
	w = newWorld()
	w.account.AddRole("web", map[string]string{"nightlatch:protect": "yes"})
	w.account.AddRole("etl", map[string]string{"nightlatch:protect": "yes"})
	w.trail.takers = []taker{{key: "ASIAEXAMPLEWEB000001", owner: "a", role: "web", bytes: 500_000, ip: elsewhere}, {key: "ASIAEXAMPLEETL000001", owner: "b", role: "etl", bytes: 500_000, ip: elsewhere}}
	r = w.handle(t)
	if n := w.trail.questions("tagged"); n != 2 {
		t.Errorf("got %d questions about two roles' tags, want 2", n)
	}
	for i, v := range r.Verdicts {
		if v.TaggedBy != "nobody that this trail shows in the last 14 days (IAM's calls are recorded in us-east-1)" {
			t.Errorf("verdict %d is tagged by %q", i, v.TaggedBy)
		}
	}
}

// What goes on around the window is never over on a busy bucket.
func TestTrafficAroundTheWindowIsNotWaitedFor(t *testing.T) {
	w := newWorld()
	w.trail.takers = []taker{thief(950_000), job(50_000)}
	w.trail.grows, w.trail.crowd = 1_000_000, 20
	r := w.handle(t)
	if !r.Evidence.Complete || r.Rounds[0].Digest == "" || len(r.Rounds) != 2 || r.Rounds[0].Digest != r.Rounds[1].Digest {
		t.Errorf("complete %t after %+v, want two equal query rounds", r.Evidence.Complete, r.Rounds)
	}
	if r.Evidence.MarginBytes < 2_000_000 || len(r.Evidence.Actors) != 42 {
		t.Errorf("got %d bytes in the margin and %d actors: nothing has grown", r.Evidence.MarginBytes, len(r.Evidence.Actors))
	}
	w.keys(t, "Inactive")
	w.headline(t, "CONTAINED")
	w.took(t, 2*time.Minute, 2*time.Minute+30*time.Second)
}

// A long download, or a metric that is stamped late, puts the theft itself into the margin.
func TestATheftInTheMarginIsAsked(t *testing.T) {
	w := newWorld()
	late := thief(0)
	late.margin = 5_000_000
	w.trail.takers = []taker{job(200_000), late}
	for i := range 12 { // so many neighbours that a message would not show the last
		w.trail.takers = append(w.trail.takers, taker{key: fmt.Sprintf("AKIAEXAMPLEBUSY000%02d", i), owner: fmt.Sprint("busy", i), bytes: 30_000, ip: office})
	}
	r := w.handle(t)
	w.headline(t, "DECIDE")
	m := w.message(t)
	if !strings.Contains(m.Subject, "DECIDE: "+stolen+" took 4.77 MiB") {
		t.Errorf("the subject is %q, want the stolen key in it", m.Subject)
	}
	if o := r.Outcomes[0]; o.AccessKeyID != stolen || o.State != containment.Asked || r.Verdicts[0].Target != stolen || r.Verdicts[0].Decision != policy.Ask {
		t.Errorf("the first step is %+v of %+v, want the stolen key's to be asked", o, r.Verdicts[0])
	}
	body := unwrap(m.Body)
	for _, says := range []string{"Access key " + stolen + " of IAM user mara", "Took 0 bytes (0.0 % of the alarmed bytes) and 4.77 MiB in the minutes around the window", "From 198.51.100.0/24: NEVER SEEN for it on earlier days", "ask-unexplained: ",
		"YOU DECIDE deactivate-key " + stolen, "(4.77 MiB around) " + stolen} {
		if !strings.Contains(body, says) {
			t.Errorf("the message does not say %q:\n%s", says, m.Body)
		}
	}
	w.keys(t, "Active")

	// Where the window explains the alarm, the margin is nobody's theft.
	w = newWorld()
	w.trail.takers = []taker{{key: nightly, owner: "nightly", bytes: 1_000_000, ip: elsewhere}, late}
	r = w.handle(t)
	if got := state(t, r); got != containment.Done || r.Outcomes[0].AccessKeyID != nightly || r.Unjudged != 1 {
		t.Errorf("got %s of %s, %d not judged, want done of the key in the window alone", got, r.Outcomes[0].AccessKeyID, r.Unjudged)
	}
	w.keys(t, "Active")
}

// A theft cut into parts too small to be judged is one theft.
func TestManySmallPartsAreAsked(t *testing.T) {
	small := func(n int, bytes int64) *world {
		w := newWorld()
		w.account.AddRole("web", nil)
		w.trail.takers = nil
		for i := range n {
			w.trail.takers = append(w.trail.takers, taker{key: fmt.Sprintf("ASIAEXAMPLEWEB%06d", i), owner: fmt.Sprint("s", i), role: "web", bytes: bytes, ip: elsewhere, stranger: true})
		}
		return w
	}
	w := small(200, 5_000)
	r := w.handle(t)
	w.headline(t, "DECIDE")
	if n := len(r.Verdicts); n != 10 || len(r.Outcomes) != n || r.Unjudged != 40 {
		t.Errorf("got %d verdicts, %d outcomes and %d not judged, want 10, 10 and 40", n, len(r.Outcomes), r.Unjudged)
	}
	for _, v := range r.Verdicts {
		if v.Decision != policy.Ask || !slices.ContainsFunc(v.Reasons, func(s string) bool { return strings.HasPrefix(s, "ask-spread: ") }) {
			t.Errorf("got %q for %q, want it asked because of the spread", v.Decision, v.Reasons)
		}
	}
	if body := unwrap(w.message(t).Body); !strings.Contains(body, "977 KiB left in parts that are small or usual") {
		t.Errorf("the message does not say how much is left in parts:\n%s", body)
	}

	// The same beside one key that is contained: at most a fifth gets no action in silence.
	for bytes, want := range map[int64]string{4_000: "CONTAINED", 4_020: "CONTAINED, 10 TO DECIDE"} {
		w = small(50, bytes)
		w.trail.takers = append(w.trail.takers, thief(1_000_000-50*bytes))
		w.handle(t)
		w.headline(t, want)
		w.keys(t, "Inactive")
	}
	// What is usual for everybody is left, as long as it is not much together.
	w = newWorld()
	w.account.AddUser("daily", nil, sandbox.Key{ID: "AKIAEXAMPLEDAILY0001", Status: "Active"})
	w.trail.takers = []taker{thief(820_000), job(90_000), {key: "AKIAEXAMPLEDAILY0001", owner: "daily", bytes: 90_000, ip: office}}
	r = w.handle(t)
	w.headline(t, "CONTAINED")
	if len(r.Outcomes) != 3 || r.Outcomes[1].State != containment.Skipped || r.Outcomes[2].State != containment.Skipped {
		t.Errorf("got %+v, want the usual ones left", r.Outcomes)
	}
}

func TestTwoStolenKeys(t *testing.T) {
	w := newWorld()
	other := job(330_000)
	other.ip = "192.0.2.7"
	w.trail.takers = []taker{thief(670_000), other}
	r := w.handle(t)
	w.headline(t, "CONTAINED, 1 TO DECIDE")
	w.keys(t, "Inactive")
	if len(r.Outcomes) != 2 || r.Outcomes[0].State != containment.Done || r.Outcomes[1].State != containment.Asked || r.Outcomes[1].AccessKeyID != nightly {
		t.Errorf("got %+v, want the first done and the second asked", r.Outcomes)
	}
	m := w.message(t)
	if !strings.Contains(m.Subject, stolen) || !strings.Contains(m.Body, "\nYOU DECIDE     deactivate-key "+nightly+" of nightly") || w.account.Status(nightly) != "Active" {
		t.Errorf("the message is %q, the other key %s:\n%s", m.Subject, w.account.Status(nightly), m.Body)
	}
}

// Request metrics come late: a reading that is short contradicts CloudTrail until it is read again.
func TestAShortReadingIsReadAgain(t *testing.T) {
	w := newWorld()
	w.meter.shown = []int64{800_000}
	r := w.deliver(t, event(800_000))
	if got := state(t, r); got != containment.Done || r.MetricRead != 3 {
		t.Errorf("got %s after %d readings, want done after the second that shows all, the third", got, r.MetricRead)
	}
	w.keys(t, "Inactive")
	w.headline(t, "CONTAINED")
	w.took(t, 2*time.Minute, 2*time.Minute+30*time.Second)
	if e := r.Evidence.Explained; e == nil || *e != 1 {
		t.Errorf("explained %v, want all", e)
	}
	// One that stays short is asked about, and not read for ever.
	w = newWorld()
	w.meter.Buckets["exports"][0].Bytes = 800_000
	r = w.deliver(t, event(800_000))
	if got := state(t, r); got != containment.Asked || r.MetricRead != 4 || !strings.Contains(w.message(t).Body, "ask-conflict: ") {
		t.Errorf("got %s after %d readings, want asked after 4:\n%s", got, r.MetricRead, w.message(t).Body)
	}
}

// mortal is a store whose process dies after so many puts: nothing answers any more.
type mortal struct {
	incident.Store
	puts int
}

func (m *mortal) Put(ctx context.Context, r incident.Record) (incident.Record, error) {
	if m.puts--; m.puts < 0 {
		return incident.Record{}, errCrash
	}
	return m.Store.Put(ctx, r)
}

func TestItCanBeStoppedAnywhere(t *testing.T) {
	// Each process makes two puts and dies, as an act needs two; the next shares nothing with it but the store and the world.
	w := newWorld()
	memory := &incident.Memory{}
	var rec incident.Record
	for deliveries := range 100 {
		next := newWorld()
		next.Store, next.Account, next.Channels, next.Clock, next.trail.clock = &mortal{memory, 2}, w.Account, w.Channels, w.Clock, w.clock
		handled, err := next.Handle(context.Background(), event(1_000_000), nil)
		if rec = handled.Record; err == nil {
			t.Logf("%d deliveries", deliveries+1)
			break
		}
		w.clock.Wait(context.Background(), w.clock.Now().Add(5*time.Minute)) // the dead one's lease
	}
	if got := state(t, rec); got != containment.Done || rec.Closed.IsZero() {
		t.Errorf("got %s, closed %v; want done and closed", got, rec.Closed)
	}
	if n := w.account.Writes(); n != 1 {
		t.Errorf("got %d writes that took effect, want 1", n)
	}
}

func TestACrashBetweenWriteAndPutDoesNotWriteTwice(t *testing.T) {
	w := newWorld()
	memory := &incident.Memory{}
	w.Store = &crashing{Store: memory, account: w.account}
	_, err := w.Handle(context.Background(), event(1_000_000), nil)
	if !errors.Is(err, errCrash) {
		t.Fatalf("got %v, want the crash", err)
	}
	w.keys(t, "Inactive")
	w.Store = memory
	w.clock.Wait(context.Background(), w.clock.Now().Add(5*time.Minute)) // the dead one's lease
	r := w.handle(t)
	if got := state(t, r); got != containment.Done {
		t.Errorf("got %s, want done: it was us", got)
	}
	if body := w.message(t).Body; strings.Contains(body, "notifying again") {
		t.Errorf("an incident that was not notified yet is notified again:\n%s", body)
	}
	if n := w.account.Writes(); n != 1 {
		t.Errorf("got %d writes that took effect, want 1", n)
	}
	if r.Outcomes[0].Undo == "" {
		t.Error("the undo line is lost")
	}
}

var errCrash = errors.New("crash")

// crashing is a store whose process dies before the first put after a write to the account.
type crashing struct {
	incident.Store
	account *sandbox.Account
	dead    bool
}

func (c *crashing) Put(ctx context.Context, r incident.Record) (incident.Record, error) {
	if c.dead = c.dead || c.account.Writes() > 0; c.dead {
		return incident.Record{}, errCrash
	}
	return c.Store.Put(ctx, r)
}
