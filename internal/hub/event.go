package hub

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nightlatch/internal/actor"
	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/report"
)

// Tick is what the schedule writes to the queue, so that what is due is told where nothing else comes.
const Tick = `{"hub":"tick"}`

// Source is the source of a deployment's events, and report.HubDetailType their detail type.
const Source = "nightlatch"

// Limits on what is kept of one incident of one event: whoever writes it chooses how much there is.
const (
	maxKeys, maxNetworks, maxBuckets, maxSteps = 10, 10, 3, 5
	maxText, maxCount                          = 200, 1_000_000
	maxMerged                                  = 1000 // as a deployment writes at most
)

// event is one event of the bus, as far as the hub takes it.
type event struct {
	id      string // EventBridge's, or made of the text where there is none
	account string // the envelope's; "" where there is none
	alias   string
	region  string // the detail's; "" where it is none
	tick    bool
	test    bool // somebody tries whether the team hears
	// wrong is why it is not believed, and unread says that it cannot be read at all: it goes to the dead letters.
	wrong  wrong
	unread bool
	about  []update
}

// update is what an event says of one incident.
type update struct {
	Incident
	keys     []string // the suspected credentials: ids of access keys, and ARNs
	networks []string // where the suspected worked, and nobody of the company did
	ordinary []string // where others worked, or the suspected on earlier days
	merged   []string // the ids of incidents of the same deployment that it reports too
}

var (
	accountID = lazyregexp.New(`^[0-9]{12}$`)
	regionID  = lazyregexp.New(`^[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}$`)
	aliasForm = lazyregexp.New(`^[a-z0-9-]{3,63}$`)
	keyID     = lazyregexp.New(`^[A-Z0-9]{16,128}$`)
	principal = lazyregexp.New(`^arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:[\x21-\x7e]{1,220}$`)
	// pageForm is the address of an incident's page in AWS's console, as report makes it: no other address of a deployment is shown.
	pageForm = lazyregexp.New(`^https://([a-z0-9-]+\.)?console\.(aws\.amazon\.com|amazonaws-us-gov\.com|amazonaws\.cn|amazonaws-eusc\.eu)/s3/object/[a-z0-9-]{3,63}\?region=[a-z0-9-]+&prefix=[a-z0-9-]+/page\.html$`)
)

// read reads one message of the queue: an event of the bus in EventBridge's envelope, or a tick. The account is the envelope's, which EventBridge writes
// and no sender; accounts are those that may send. What is wrong with an event is told, and nothing in it is believed.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
func read(body string, accounts []string) event {
	if body == Tick {
		return event{tick: true}
	}
	var envelope struct {
		ID         string          `json:"id"`
		Source     string          `json:"source"`
		DetailType string          `json:"detail-type"`
		Account    string          `json:"account"`
		Detail     json.RawMessage `json:"detail"`
	}
	e := event{id: fmt.Sprintf("%x", sha256.Sum256([]byte(body)))[:16]}
	if json.Unmarshal([]byte(body), &envelope) != nil || !accountID.MatchString(envelope.Account) || envelope.Source != Source || envelope.DetailType != report.HubDetailType {
		e.unread, e.wrong = true, wrong{What: unreadable, Shown: cut(body)}
		return e
	}
	if envelope.ID != "" {
		e.id = cut(envelope.ID)
	}
	e.account = envelope.Account
	var d report.HubEvent
	switch err := json.Unmarshal(envelope.Detail, &d); {
	case !slices.Contains(accounts, e.account):
		e.wrong = wrong{What: uninvited, Account: e.account, Shown: cut(d.Subject)}
		return e
	case err != nil || d.Schema != report.HubSchema:
		e.unread, e.wrong = true, wrong{What: unreadable, Account: e.account, Shown: cut(string(envelope.Detail))}
		return e
	case d.Account != "" && d.Account != e.account:
		e.wrong = wrong{What: forged, Account: e.account, Shown: "it says that it is of account " + cut(d.Account) + ": " + cut(d.Subject)}
		return e
	}
	e.test = d.Kind == report.Test && d.Subject != report.HubTest
	if regionID.MatchString(d.Region) {
		e.region = d.Region
	}
	if aliasForm.MatchString(d.Alias) {
		e.alias = d.Alias
	}
	if n := len(d.Incidents); n > report.MaxHub { // no deployment writes so many
		e.unread, e.wrong = true, wrong{What: unreadable, Account: e.account, Shown: fmt.Sprintf("it lists %d incidents", n)}
		return e
	}
	for _, in := range d.Incidents {
		if !alarm.IncidentID.MatchString(in.ID) {
			e.unread, e.about, e.wrong = true, nil, wrong{What: unreadable, Account: e.account, Shown: "an incident is called " + cut(in.ID)}
			return e
		}
		e.about = append(e.about, updateOf(d, in))
	}
	return e
}

// updateOf is what an event says of an incident, bounded.
func updateOf(d report.HubEvent, in report.HubIncident) update {
	u := update{Incident: Incident{ID: in.ID, At: timeOf(d), State: stateOf(in), Waits: in.WaitsForHuman && in.Judged, Confirmed: in.Alarm.Confirmed, Bytes: in.Alarm.Bytes, Buckets: []string{}}}
	for _, b := range in.Alarm.Buckets[:min(len(in.Alarm.Buckets), maxBuckets)] {
		u.Buckets = append(u.Buckets, cut(b))
	}
	u.MoreBuckets = len(in.Alarm.Buckets) - len(u.Buckets) + count(in.Alarm.More)
	for _, s := range in.Steps[:min(len(in.Steps), maxSteps)] {
		u.Steps = append(u.Steps, Step{Action: cut(s.Action), Target: cut(s.Target), State: cut(s.State)})
	}
	u.MoreSteps = len(in.Steps) - len(u.Steps) + count(in.MoreSteps)
	if pageForm.MatchString(in.Page) {
		u.Page = in.Page
	}
	for _, id := range in.Merged {
		if alarm.IncidentID.MatchString(id) && id != in.ID && len(u.merged) < maxMerged && !slices.Contains(u.merged, id) {
			u.merged = append(u.merged, id)
		}
	}
	u.MergedMore = count(in.MergedMore)
	add := func(list *[]string, s string, most int) {
		if len(*list) < most && !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	for _, a := range in.Actors {
		if a.Suspected && byCredential(actor.Kind(a.Kind)) {
			if keyID.MatchString(a.AccessKeyID) {
				add(&u.keys, a.AccessKeyID, maxKeys)
			}
			if principal.MatchString(a.PrincipalARN) {
				add(&u.keys, a.PrincipalARN, maxKeys)
			}
		}
		for _, n := range a.Networks {
			if _, public := network(n); !public {
				continue
			}
			if a.Suspected && (n.Familiar == nil || !*n.Familiar) {
				add(&u.networks, n.Network, maxNetworks)
			} else if in.Judged { // before that nobody is suspected yet
				add(&u.ordinary, n.Network, 2*maxNetworks)
			}
		}
	}
	return u
}

// timeOf is when an event was written. What is no year of a clock has no JSON, so it is the first of those that have one.
func timeOf(d report.HubEvent) time.Time {
	if first := time.Unix(0, 0); d.Time.Before(first) {
		return first.UTC()
	}
	return d.Time.UTC().Truncate(time.Millisecond)
}

// count bounds a number that others chose.
func count(n int) int { return min(max(n, 0), maxCount) }

// byCredential reports whether two incidents with the same credential of a kind have the same thief. A service and whoever is nobody are none.
func byCredential(k actor.Kind) bool {
	return !slices.Contains([]actor.Kind{actor.AWSService, actor.ServiceForOthers, actor.Anonymous, actor.Unattributed}, k)
}

// network reads a network of the internet, as evidence.Network writes it.
func network(n report.HubNetwork) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(n.Network)
	if err != nil || n.VPCEndpoint != "" {
		return p, false
	}
	a := p.Addr()
	return p, !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsUnspecified() && p.Bits() >= 16
}

// stateOf is where an incident stands.
func stateOf(in report.HubIncident) State {
	done := slices.ContainsFunc(in.Steps, func(s report.HubStep) bool {
		return s.State == string(containment.Done) || s.State == string(containment.Already)
	})
	switch {
	case in.State == "closed":
		return Closed
	case in.State == "escalated":
		return Escalated
	case !in.Judged:
		return Searching
	case in.WaitsForHuman:
		return Asks
	case done:
		return Contained
	}
	return Noted
}

// cut bounds a text that others chose.
func cut(s string) string {
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "") + "..."
	}
	return s
}
