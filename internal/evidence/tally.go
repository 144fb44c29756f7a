package evidence

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"nightlatch/internal/actor"
)

// Actor is one credential in use, and what it did in the window.
type Actor struct {
	Kind         actor.Kind `json:"kind"`
	Via          string     `json:"via"`
	AccessKeyID  string     `json:"access_key_id"`
	PrincipalARN string     `json:"principal_arn"`
	PrincipalID  string     `json:"principal_id"`
	AccountID    string     `json:"account_id"`
	UserName     string     `json:"user_name,omitempty"`
	RoleName     string     `json:"role_name,omitempty"`
	Session      string     `json:"session,omitempty"`
	OnBehalfOf   string     `json:"on_behalf_of,omitempty"`
	// SourceIdentity and Provider are what the session was given out with: who set it stays, and the web identity provider.
	SourceIdentity string `json:"source_identity,omitempty"`
	Provider       string `json:"provider,omitempty"`
	// Doubt is how the record contradicts itself, in a sentence; "" where it does not.
	Doubt string `json:"doubt,omitempty"`

	// Bytes is everything that left: ObjectBytes of contents, ListingBytes of listings and other answers, ErrorBytes of refusals.
	Bytes        int64 `json:"bytes"`
	ObjectBytes  int64 `json:"object_bytes"`
	ListingBytes int64 `json:"listing_bytes"`
	ErrorBytes   int64 `json:"error_bytes"`
	// MarginBytes left in the margin around the window; they are in none of the other counts.
	MarginBytes int64 `json:"margin_bytes"`
	// SignedBytes are those of Bytes whose request was signed in its header; nil in a record of an earlier build.
	SignedBytes *int64 `json:"signed_bytes,omitempty"`
	// Share is Bytes against the alarmed bytes; nil while those are unknown.
	Share *float64 `json:"share"`
	// Objects counts the distinct objects read.
	Objects int64 `json:"objects"`
	// Object is the key of the one object, where it is one.
	Object string `json:"object,omitempty"`
	// Unsized counts calls whose record has no byte count; Copies server-side copies out of the watched buckets.
	Unsized int64 `json:"calls_without_byte_count"`
	Copies  int64 `json:"copies_out"`

	Calls   map[string]int64 `json:"calls"`
	Errors  map[string]int64 `json:"errors,omitempty"`
	Buckets map[string]int64 `json:"buckets"`
	Origins []Origin         `json:"origins"`
	Agents  []string         `json:"user_agents"`
	// ListedFirst: it listed what there is before it read the first object, both in the window.
	ListedFirst bool      `json:"listed_first,omitempty"`
	FirstSeen   time.Time `json:"first_seen"`
	LastSeen    time.Time `json:"last_seen"`
	// Omitted counts the origins, agents, calls, error codes and buckets that are not listed: those beyond MaxDetails.
	// OmittedOrigins counts the origins among them: bytes may have gone to a place that is not listed.
	Omitted        int64 `json:"omitted,omitempty"`
	OmittedOrigins int64 `json:"omitted_origins,omitempty"`

	// What Usage adds; nil while the history is unknown.
	HistoryDays     *int64     `json:"history_days"`
	MostBytesInADay *int64     `json:"most_bytes_in_a_day"`
	LastUsed        *time.Time `json:"last_used"`
	FamiliarBytes   *int64     `json:"familiar_bytes"`
	UnfamiliarBytes *int64     `json:"unfamiliar_bytes"`
	// TakenBytes are contents, signed in the header, that went to unfamiliar places for which nothing speaks (see Habits). Evidence that is
	// still to come can only make them more.
	TakenBytes *int64 `json:"taken_bytes,omitempty"`
	// FamiliarActive: a familiar origin used this very credential in the 24 hours before the window's end.
	FamiliarActive *bool `json:"familiar_active"`
	Habits
	// Neighbours are other persons of the same role or broker who used these origins before, where this one did not.
	Neighbours []string `json:"origins_of,omitempty"`

	// principal is the value that Bytes and Usage share for the long-lived principal.
	principal string
	// unlisted counts, by part of the answer, what the answer itself leaves out.
	unlisted map[string]int64
	// listed and read are when it listed first, and when it read the first object.
	listed, read time.Time
}

// Credential is the credential that the actor uses.
func (a Actor) Credential() actor.Credential {
	return actor.Credential{Kind: a.Kind, Via: a.Via, AccessKeyID: a.AccessKeyID, PrincipalID: a.PrincipalID,
		PrincipalARN: a.PrincipalARN, AccountID: a.AccountID, UserName: a.UserName, RoleName: a.RoleName, Session: a.Session,
		OnBehalfOf: a.OnBehalfOf, SourceIdentity: a.SourceIdentity, Provider: a.Provider, Doubt: a.Doubt, SignedIn: a.SignedIn != nil && *a.SignedIn}
}

// Past counts the calls of a stretch of time before a window, and their bytes.
type Past struct {
	Calls int64 `json:"calls"`
	Bytes int64 `json:"bytes"`
}

// Others sums the actors beyond MaxActors.
type Others struct {
	Actors      int64 `json:"actors"`
	Bytes       int64 `json:"bytes"`
	ObjectBytes int64 `json:"object_bytes"`
	Copies      int64 `json:"copies_out"`
}

// Tally is the answer to Bytes for one window, read.
type Tally struct {
	Bytes, ObjectBytes, ListingBytes, ErrorBytes, MarginBytes int64
	Calls, Unsized, Copies                                    int64
	// Torn counts the records of calls of which the trail's records say different things.
	Torn int64 `json:",omitempty"`
	// Amended counts the records that came late or correct another.
	Amended int64 `json:",omitempty"`
	// Past is what the LastHour before the edge holds. It is no part of the digest, as it is no part of the window.
	Past   Past `json:"-"`
	Actors []Actor
	Others Others
	// Digest is equal for equal answers: two query rounds in a row are compared by it.
	Digest string
}

// ReadBytes reads the rows of the question q: a tally for each of its windows, by ID. A window without rows, in which nobody took
// anything, has the tally of that: no actors, zeros, and their digest. Nothing in a tally depends on the question's other windows. Rows
// that do not fit are an error: half an answer is none.
func ReadBytes(rows []Row, q Bytes, ours actor.Ours) (map[string]Tally, error) {
	numbers := q.Numbers()
	if len(numbers) < len(q.Windows) {
		return nil, errors.New("two windows of the question have the same id")
	}
	byNumber := map[int64][]Row{}
	for _, n := range numbers {
		byNumber[n] = nil
	}
	for _, row := range rows {
		r := &reader{row: row}
		n := r.number("window_no")
		if r.err != nil {
			return nil, r.err
		}
		if _, asked := byNumber[n]; !asked {
			return nil, fmt.Errorf("a row of the answer is about window %d, which was not asked for", n)
		}
		byNumber[n] = append(byNumber[n], row)
	}
	tallies := map[string]Tally{}
	for id, n := range numbers {
		// Each is read for itself, so that no two share what they hold.
		t, err := readTally(byNumber[n], ours)
		if err != nil {
			return nil, fmt.Errorf("window %s: %w", id, err)
		}
		tallies[id] = t
	}
	return tallies, nil
}

// readTally reads the rows of one window.
func readTally(rows []Row, ours actor.Ours) (Tally, error) {
	var t Tally
	byID := map[string]*Actor{}
	totals, summed := Others{}, false
	for _, row := range rows {
		r := &reader{row: row}
		switch r.text("part") {
		case "all":
			summed = true
			t.Bytes, t.ObjectBytes, t.ListingBytes = r.number("bytes"), r.number("object_bytes"), r.number("listing_bytes")
			t.ErrorBytes, t.MarginBytes = r.number("error_bytes"), r.number("margin_bytes")
			t.Calls, t.Unsized, t.Copies, t.Torn = r.number("calls"), r.number("unsized"), r.number("copies"), r.number("torn")
			t.Amended, t.Past = r.number("amended"), Past{r.number("past_calls"), r.number("past_bytes")}
		case "actor":
			a := readActor(r, ours)
			byID[r.whole("actor")] = &a
			totals.Actors = max(totals.Actors, r.number("places"))
		}
		if r.err != nil {
			return Tally{}, r.err
		}
	}
	for _, row := range rows {
		if err := readDetail(row, byID); err != nil {
			return Tally{}, err
		}
	}
	t.Others = Others{Actors: totals.Actors - int64(len(byID)), Bytes: t.Bytes, ObjectBytes: t.ObjectBytes, Copies: t.Copies}
	for _, id := range slices.Sorted(maps.Keys(byID)) { // in an order, or equal rows would not give equal digests
		a := byID[id]
		if !summed && a.Bytes+a.MarginBytes > 0 {
			return Tally{}, errors.New("the answer has actors with bytes, and no sum over all")
		}
		t.Others.Bytes -= a.Bytes
		t.Others.ObjectBytes -= a.ObjectBytes
		t.Others.Copies -= a.Copies
		a.settle()
		slices.SortFunc(a.Origins, func(x, y Origin) int {
			return cmp.Or(cmp.Compare(y.Bytes, x.Bytes), cmp.Compare(x.Network, y.Network), cmp.Compare(x.VPCEndpoint, y.VPCEndpoint),
				cmp.Compare(x.VPCEndpointAccount, y.VPCEndpointAccount), cmp.Compare(x.signing(), y.signing()))
		})
		slices.Sort(a.Agents)
		for _, n := range a.unlisted {
			a.Omitted += n
		}
		a.OmittedOrigins = a.unlisted["origin"]
		t.Actors = append(t.Actors, *a)
	}
	slices.SortStableFunc(t.Actors, func(x, y Actor) int {
		return cmp.Or(cmp.Compare(y.Bytes, x.Bytes), cmp.Compare(y.Copies, x.Copies), cmp.Compare(x.AccessKeyID, y.AccessKeyID),
			cmp.Compare(x.PrincipalID, y.PrincipalID), cmp.Compare(x.Via, y.Via), cmp.Compare(x.Kind, y.Kind))
	})
	t.Digest = digest(t)
	return t, nil
}

// digest is a digest of all that the policy sees of a tally: the actors, and the sums that shares are worked out from.
func digest(t Tally) string {
	// What is only in the margin is no part of it. A busy bucket's ordinary traffic, or one call of a thief's now and then, would keep the
	// evidence from ever being complete.
	actors := t.Actors
	t.Actors, t.MarginBytes, t.Others.Actors = nil, 0, 0
	for _, a := range actors {
		a.SignedBytes, a.Object = nil, "" // the origins say it, and an earlier build's digest shall be the same
		a.Origins = slices.Clone(a.Origins)
		for i := range a.Origins {
			a.Origins[i].ObjectBytes = 0
		}
		if a.MarginBytes, a.Omitted, a.OmittedOrigins = 0, 0, 0; len(a.Calls) > 0 {
			t.Actors = append(t.Actors, a)
		}
	}
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // plain numbers and strings: cannot fail
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
