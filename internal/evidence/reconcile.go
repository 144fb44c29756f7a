package evidence

import (
	"fmt"
	"slices"
	"time"

	"nightlatch/internal/alarm"
)

// Settling is how long after the window's end CloudTrail is given before its answer can be complete.
// "an average of about 5 minutes of an API call": https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
const Settling = 5 * time.Minute

// LateRecords is how long after a call its record is waited for, before it is said that there is none: the latest of 16,574 data events came
// after ten minutes, and a store needs about five more. A theft that goes on is judged within that time after the window.
const LateRecords = 15 * time.Minute

// earlier is how long before the window an origin must have been used to be familiar: on an earlier day, whatever the clock of
// UTC says at midnight.
const earlier = 24 * time.Hour

// Cost is what the questions of one incident have cost so far.
type Cost struct {
	Queries      int   `json:"queries"`
	BytesScanned int64 `json:"bytes_scanned"`
	// QueuedMS is how long they waited for the engine's resources, and RanMS how long it worked on them, in milliseconds, as far as it says.
	QueuedMS int64 `json:"queued_ms"`
	RanMS    int64 `json:"ran_ms"`
}

// Add counts one more question.
func (c *Cost) Add(a Answer) {
	c.Queries++
	c.BytesScanned += a.Scanned
	c.QueuedMS += a.Queued.Milliseconds()
	c.RanMS += a.Ran.Milliseconds()
}

// Evidence is what CloudTrail says, reconciled with what the metric says.
type Evidence struct {
	Engine string    `json:"engine"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`

	Bytes        int64 `json:"bytes"`
	ObjectBytes  int64 `json:"object_bytes"`
	ListingBytes int64 `json:"listing_bytes"`
	ErrorBytes   int64 `json:"error_bytes"`
	MarginBytes  int64 `json:"margin_bytes"`
	Calls        int64 `json:"calls"`
	Unsized      int64 `json:"calls_without_byte_count"`
	Copies       int64 `json:"copies_out"`
	// Amended counts the records that CloudTrail delivered late or corrected, and says so.
	Amended int64 `json:"records_with_addendum,omitempty"`
	// Explained is Bytes against the alarmed bytes, never clamped: well above 1 is a conflict. Nil is unknown.
	Explained *float64 `json:"explained"`
	// Unexplained is how many of the alarmed bytes CloudTrail does not show; 0 where it shows more.
	Unexplained *int64 `json:"unexplained"`
	// Complete: Settling has passed since the window's end, two query rounds in a row were equal, and nothing was lost.
	Complete bool `json:"complete"`
	// HistoryDays is the span that Usage read, in days; nil while the history is unknown.
	HistoryDays *int64 `json:"history_days"`

	// TrailFrom and TrailTo are the first and the last call that the trail holds; zero where that was not asked, as of a trail in AWS.
	TrailFrom time.Time `json:"trail_from,omitzero"`
	TrailTo   time.Time `json:"trail_to,omitzero"`

	Cost
	Lost []string `json:"lost"`
	// Seal is that of the last answer, and of the one that says what is usual.
	Seal Seal `json:"seal,omitzero"`

	Actors []Actor `json:"actors"`
	Others Others  `json:"others"`
}

// ExplainedEnough is the part of the alarmed bytes from which on CloudTrail explains the alarm.
const ExplainedEnough = 0.8

// Explains reports whether CloudTrail shows enough of the alarmed bytes to explain the alarm.
func (e Evidence) Explains() bool { return e.Explained != nil && *e.Explained >= ExplainedEnough }

// Places names where a key's bytes went, each once: the networks and VPC endpoints of its first actor. They are what a hold on the key clears.
func (e Evidence) Places(accessKeyID string) []string {
	var places []string
	for _, a := range e.Actors {
		if a.AccessKeyID != accessKeyID {
			continue
		}
		for _, o := range a.Origins {
			if p := o.Place(); p != "" && !slices.Contains(places, p) {
				places = append(places, p)
			}
		}
		break
	}
	return places
}

// FallsShort reports whether it shows less. Where the alarmed bytes are not known, it neither explains nor falls short.
func (e Evidence) FallsShort() bool { return e.Explained != nil && !e.Explains() }

// History is the answer to Usage, read.
type History struct {
	// Before is the end of the span, the start of the window it was asked for.
	Before time.Time `json:"before"`
	// Seal is the answer's.
	Seal Seal `json:"seal,omitzero"`
	// Lost is the answer's.
	Lost       []string                     `json:"lost,omitempty"`
	Principals map[string]*PrincipalHistory `json:"principals"`
	// Company are the places at which several of our users worked, and how many. CompanyPartial: there are more.
	Company        []Company `json:"company"`
	CompanyPartial bool      `json:"company_partial"`
	// Used is the answer to Callers, read; nil where that is not known.
	Used *Uses `json:"used,omitempty"`
}

// Company is how many IAM users worked at a place, their requests signed in the header.
type Company struct {
	Place Origin `json:"place"`
	Users int64  `json:"users"`
	// MadeBy is the unique id of the principal that made these users within the span; "" for those who were there before.
	MadeBy string `json:"made_by,omitempty"`
}

// PrincipalHistory is how one principal worked before.
type PrincipalHistory struct {
	// Days are the earlier days on which it called the watched buckets, MostBytes what it took from them in one of these at most.
	Days      int64     `json:"days"`
	MostBytes int64     `json:"most_bytes"`
	LastUsed  time.Time `json:"last_used"`
	// ObjectDays are those on which it took contents, signed in the header, ObjectBytes all of that, and Busiest and SecondBusiest the days
	// with most of it.
	ObjectDays    int64 `json:"object_days"`
	ObjectBytes   int64 `json:"object_bytes"`
	Busiest       int64 `json:"busiest"`
	SecondBusiest int64 `json:"second_busiest"`
	// Object is the one object that it read on these days; "" where there were several. FirstClock and LastClock are the times of day, in
	// seconds, between which its calls came.
	Object     string `json:"object,omitempty"`
	FirstClock int64  `json:"first_clock"`
	LastClock  int64  `json:"last_clock"`
	// Product and OtherProduct are the first and the last, by the alphabet, of the programs that its callers named as their agents on these days,
	// without versions.
	Product      string `json:"product,omitempty"`
	OtherProduct string `json:"other_product,omitempty"`
	// NewDays are the days on which it came from a place that was new to it then, its first day among them.
	NewDays int64 `json:"new_days"`
	// Partial: the principal used more origins than were returned, so one that is not among them is unknown. PlacesPartial, KeysPartial and
	// LatePartial say the same of Places, of Keys, and of the origins of the last 24 hours.
	Partial       bool   `json:"partial"`
	PlacesPartial bool   `json:"places_partial"`
	KeysPartial   bool   `json:"keys_partial"`
	LatePartial   bool   `json:"late_partial"`
	Uses          []Used `json:"uses"`
	// Refused are the credentials and origins of which calls were refused, to any bucket and service: they make nothing familiar.
	Refused []Used `json:"refused,omitempty"`
	// Places are where it worked on earlier days, Keys what each key took in the last 24 hours.
	Places []PlaceHistory   `json:"places"`
	Keys   map[string]int64 `json:"keys"`
}

// PlaceHistory is the weight of one place: how much a principal worked there on earlier days, in any bucket and service, its requests signed in
// the header.
type PlaceHistory struct {
	Place Origin `json:"place"`
	Days  int64  `json:"days"`
	// MostBytes are the contents of the watched buckets that it took there in a day at most.
	MostBytes int64 `json:"most_bytes"`
}

// Used is one credential of a principal at one origin.
type Used struct {
	AccessKeyID string `json:"access_key_id"`
	Origin      Origin `json:"origin"`
	// Bytes are those of the watched buckets.
	Bytes int64     `json:"bytes"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// SignedIn is when the principal last signed in to the console there, with a second factor; zero where it did not.
	SignedIn time.Time `json:"signed_in,omitzero"`
	// Looked is when it was last used there to list or describe something, or to ask who it is; zero where it was not.
	Looked time.Time `json:"looked,omitzero"`
}

// ReadUsage reads the rows of a Usage question that was asked for the time before.
func ReadUsage(rows []Row, before time.Time) (*History, error) {
	h := &History{Before: before, Principals: map[string]*PrincipalHistory{}}
	for _, row := range rows {
		r := &reader{row: row}
		if r.text("part") == "company" {
			h.addCompany(Company{originOf(r), r.number("users"), r.text("principal")})
			h.CompanyPartial = h.CompanyPartial || r.number("all_places") > maxCompany
			if r.err != nil {
				return nil, r.err
			}
			continue
		}
		name := r.text("principal")
		p := h.Principals[name]
		if p == nil {
			p = &PrincipalHistory{Keys: map[string]int64{}}
			h.Principals[name] = p
		}
		switch r.text("part") {
		case "principal":
			p.Days, p.MostBytes, p.LastUsed = r.number("days"), r.number("most_bytes"), r.time("last_seen")
			p.ObjectDays, p.ObjectBytes = r.number("object_days"), r.number("object_bytes")
			p.Busiest, p.SecondBusiest = r.number("object_most"), r.number("object_second")
			p.FirstClock, p.LastClock = r.number("first_clock"), r.number("last_clock")
			if p.Object = r.text("object"); p.Object != r.text("other_object") {
				p.Object = ""
			}
			p.Product, p.OtherProduct = r.text("product"), r.text("other_product")
		case "key":
			p.KeysPartial = r.number("all_places") > maxOrigins
			p.Keys[r.text("access_key_id")] = r.number("bytes")
		case "place":
			p.PlacesPartial, p.NewDays = r.number("all_places") > maxOrigins, r.number("new_days")
			p.addPlace(originOf(r), r.number("days"), r.number("object_most"))
		case "origin":
			p.Partial = p.Partial || r.number("places") > maxOrigins
			p.LatePartial = r.number("all_places") > maxOrigins
			p.Uses = append(p.Uses, Used{r.text("access_key_id"), originOf(r), r.number("bytes"), r.time("first_seen"), r.time("last_seen"), r.time("signed_in"), r.time("looked")})
		case "refused":
			p.Refused = append(p.Refused, Used{AccessKeyID: r.text("access_key_id"), Origin: originOf(r), First: r.time("first_seen"), Last: r.time("last_seen")})
		default:
			if r.err == nil {
				r.err = fmt.Errorf("a row of the answer has the unknown part %q", row["part"])
			}
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	return h, nil
}

// Reconcile puts what CloudTrail says beside what the metric says. A nil history leaves everything unknown that depends on it.
func Reconcile(a alarm.Alarm, t Tally, h *History) Evidence {
	e := Evidence{
		From: a.From, To: a.To, Bytes: t.Bytes, ObjectBytes: t.ObjectBytes, ListingBytes: t.ListingBytes, ErrorBytes: t.ErrorBytes,
		MarginBytes: t.MarginBytes, Calls: t.Calls, Unsized: t.Unsized, Copies: t.Copies, Amended: t.Amended, Others: t.Others,
		Lost: []string{}, Actors: []Actor{},
	}
	if t.Torn > 0 {
		e.Lost = append(e.Lost, fmt.Sprintf("%d records share one eventID or sharedEventID and differ, as no two records of one call do: which of them are true is not known", t.Torn))
	}
	whole := a.Whole()
	if whole != nil && *whole > 0 {
		explained := float64(t.Bytes) / float64(*whole)
		unexplained := max(*whole-t.Bytes, 0)
		e.Explained, e.Unexplained = &explained, &unexplained
	}
	if h != nil {
		days := int64(HistorySpan / (24 * time.Hour))
		e.HistoryDays = &days
	}
	for _, act := range t.Actors {
		if whole != nil && *whole > 0 {
			share := float64(act.Bytes) / float64(*whole)
			act.Share = &share
		}
		act.Origins = slices.Clone(act.Origins)
		if h != nil {
			act.compare(h, a.From)
			act.speakFor(h, a.From, t.Actors)
			act.AlsoUsed = h.Used.Also(act, h.Before)
		}
		if extra := len(act.Origins) - MaxDetails; extra > 0 {
			act.Origins = act.Origins[:MaxDetails]
			act.Omitted += int64(extra)
			act.OmittedOrigins += int64(extra)
		}
		e.Actors = append(e.Actors, act)
	}
	return e
}

// Weight is what an actor took, in bytes: in the window, and in the margin too where the window does not explain the alarm.
func (e Evidence) Weight(a Actor) int64 {
	if e.FallsShort() {
		return a.Bytes + a.MarginBytes
	}
	return a.Bytes
}
