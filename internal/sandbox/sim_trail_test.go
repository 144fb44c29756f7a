package sandbox

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"nightlatch/internal/evidence"
)

// entry is one record of the trail with when it is delivered: never, once, or more often. Its other fields are what the questions'
// common table makes of the record; TestSimTrailAnswersAsDuckDB holds the two together.
type entry struct {
	record
	due []time.Time

	recordID, callID, gave, made, key, issuerID, agent, signing, named, inResources, copiedFrom, corrects, network, actor, principal, day string
	most                                                                                                                                  [14]string
	among                                                                                                                                 []string // the buckets of its resources
	bytes                                                                                                                                 float64
	sized, data, hides, looks                                                                                                             bool
	program                                                                                                                               string // that its agent names first
}

var (
	bucketARN   = regexp.MustCompile(`:::([^/]+)`)
	copySource  = regexp.MustCompile(`^/?(?:arn:aws[a-z-]*:s3:::)?([A-Za-z0-9._-]+)/`)
	accessPoint = regexp.MustCompile(`(-s3alias|--ol-s3)$`)
	ipv6Network = regexp.MustCompile(`^([0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F]*)`)
	ipv4Network = regexp.MustCompile(`^(?:::[fF]{4}:)?([0-9]+[.][0-9]+[.][0-9]+)[.][0-9]+$`)
)

func enter(r record, due ...time.Time) *entry {
	e := &entry{record: r, due: due, recordID: r.EventID, key: r.RequestParameters["key"], agent: r.UserAgent,
		signing: "unknown", named: r.RequestParameters["bucketName"], network: r.SourceIPAddress, data: r.EventCategory == "Data"}
	e.looks = looks.MatchString(r.EventName)
	if name := product.FindStringSubmatch(r.UserAgent); name != nil {
		e.program = name[1]
	}
	if r.UserIdentity.SessionContext != nil {
		e.issuerID = r.UserIdentity.SessionContext.SessionIssuer["principalId"]
	}
	switch r.AdditionalData["AuthenticationMethod"] {
	case "AuthHeader":
		e.signing = "header"
	case "QueryString":
		e.signing = "presigned"
	}
	if n, ok := r.AdditionalData["bytesTransferredOut"].(int64); ok {
		e.bytes, e.sized = float64(n), true
	}
	for _, given := range []string{"credentials", "accessKey"} {
		if of, ok := r.ResponseElements[given].(map[string]string); ok {
			e.gave = of["accessKeyId"]
		}
	}
	if of, ok := r.ResponseElements["user"].(map[string]string); ok && r.EventSource == "iam.amazonaws.com" && r.EventName == "CreateUser" {
		e.made = of["userId"]
	}
	if r.Addendum["reason"] == "UPDATED_DATA" && r.Addendum["originalEventID"] != "" {
		e.corrects = r.Addendum["originalEventID"]
		e.recordID = e.corrects
	}
	e.callID = cmp.Or(r.SharedEventID, e.recordID)
	for _, res := range r.Resources[:min(4, len(r.Resources))] {
		if m := bucketARN.FindStringSubmatch(res.ARN); m != nil {
			e.among = append(e.among, m[1])
			e.inResources = e.among[0]
		}
	}
	if r.EventName == "CopyObject" || r.EventName == "UploadPartCopy" {
		source := r.RequestParameters["x-amz-copy-source"]
		if decoded, err := url.PathUnescape(source); err == nil {
			source = decoded
		}
		if m := copySource.FindStringSubmatch(source); m != nil {
			e.copiedFrom = m[1]
		}
		e.hides = e.copiedFrom == "" || accessPoint.MatchString(e.copiedFrom)
	}
	if m := ipv4Network.FindStringSubmatch(r.SourceIPAddress); m != nil {
		e.network = m[1]
	} else if m := ipv6Network.FindStringSubmatch(r.SourceIPAddress); m != nil {
		e.network = m[1]
	}
	u := r.UserIdentity
	e.actor, e.principal = strings.Join([]string{u.Type, u.AccessKeyID, u.PrincipalID, u.AccountID, u.InvokedBy, "", e.sourceIdentity()}, "|"), e.behind()
	if u.AccessKeyID == "" {
		e.actor += "|" + u.ARN + "|" + u.UserName
	}
	e.most = [14]string{r.SourceIPAddress, u.Type, u.PrincipalID, u.ARN, u.AccountID, u.AccessKeyID, u.UserName, e.issuer("arn"), e.issuer("userName"), u.InvokedBy, "", e.sourceIdentity(), "", e.principal}
	e.day = r.EventTime.Format(time.DateOnly)
	return e
}

// seen is what the trail shows at a time, in no order that matters.
func seen(all []*entry, now time.Time) []*entry {
	return slices.DeleteFunc(slices.Clone(all), func(e *entry) bool {
		return !slices.ContainsFunc(e.due, func(t time.Time) bool { return !t.After(now) })
	})
}

// issuer is a field of the session issuer.
func (e *entry) issuer(field string) string {
	if e.UserIdentity.SessionContext == nil {
		return ""
	}
	return e.UserIdentity.SessionContext.SessionIssuer[field]
}

func (e *entry) sourceIdentity() string {
	if e.UserIdentity.SessionContext == nil {
		return ""
	}
	return e.UserIdentity.SessionContext.SourceIdentity
}

// behind is the long-lived principal and the person who acts through it. A name with a long number in it and no @, an instance's and one of
// hexadecimal digits are a machine's.
func (e *entry) behind() string {
	u := e.UserIdentity
	id, name, _ := strings.Cut(u.PrincipalID, ":")
	owner := cmp.Or(e.issuerID, id, u.ARN, u.InvokedBy)
	hexadecimal := strings.Trim(name, "0123456789abcdef-") == ""
	instance := len(name) > 2 && strings.HasPrefix(name, "i-") && strings.Trim(name[2:], "0123456789abcdef") == ""
	digits, longest := 0, 0
	for _, c := range name {
		if digits++; c < '0' || c > '9' {
			digits = 0
		}
		longest = max(longest, digits)
	}
	switch {
	case e.sourceIdentity() != "":
		name = e.sourceIdentity()
	case instance, hexadecimal && len(name) >= 16, longest >= 8 && !strings.Contains(name, "@"):
		name = ""
	}
	return owner + "|" + name
}

// called is one row of the common table "calls".
type called struct {
	*entry
	bucket string
	read   bool // the bytes came out of a watched bucket
	copied bool
	torn   bool // another record says something else of the same call
}

// out are the bytes that count.
func (c called) out() float64 {
	if !c.read {
		return 0
	}
	return c.bytes
}

// in is the call as one on the buckets; false where it is none.
func (e *entry) in(buckets []string) (called, bool) {
	c := called{entry: e}
	if !e.data || e.EventSource != "s3.amazonaws.com" {
		return c, false
	}
	for _, b := range []string{e.named, e.inResources} {
		if !c.read && slices.Contains(buckets, b) {
			c.bucket, c.read = b, true
		}
	}
	if e.copiedFrom == "" || !slices.Contains(buckets, e.copiedFrom) || e.copiedFrom == e.named {
		return c, c.read
	}
	c.bucket, c.copied = cmp.Or(c.bucket, e.copiedFrom), e.ErrorCode == ""
	return c, true
}

// callsOf is the common table "calls" of evidence.Usage.
func callsOf(all []*entry, buckets []string, from, to time.Time) []called {
	once := map[[2]string]called{}
	for _, e := range all {
		c, ok := e.in(buckets)
		if !ok || e.EventTime.Before(from) || !e.EventTime.Before(to) {
			continue
		}
		rank := func(c called) string {
			return map[bool]string{true: "1", false: "0"}[c.corrects == ""] + c.corrects + "|" + map[bool]string{true: "1", false: "0"}[c.UserIdentity.AccessKeyID == ""] + c.EventID
		}
		id := [2]string{e.callID, e.UserIdentity.PrincipalID}
		if kept, ok := once[id]; !ok || rank(c) < rank(kept) {
			once[id] = c
		}
	}
	return slices.Collect(maps.Values(once))
}

// windowCalls is that of evidence.Bytes.
func windowCalls(all []*entry, q evidence.Window, margin time.Duration) []called {
	buckets, from, to := q.Buckets, q.From.Add(-max(margin, evidence.Edge+evidence.LastHour)), q.To.Add(margin)
	type id struct {
		call string
		past bool
	}
	byCall := map[id][]called{}
	for _, e := range all {
		c, ok := e.in(buckets)
		if e.EventTime.Before(from) || !e.EventTime.Before(to) || !e.data || e.EventSource != "s3.amazonaws.com" {
			continue
		}
		if e.hides {
			for _, b := range slices.Sorted(slices.Values(e.among)) {
				if slices.Contains(buckets, b) && b != e.named {
					c.bucket, c.copied, ok = cmp.Or(c.bucket, b), e.ErrorCode == "", true
				}
			}
		}
		if ok {
			of := id{e.callID, e.EventTime.Before(q.From.Add(-margin))}
			byCall[of] = append(byCall[of], c)
		}
	}
	var out []called
	for _, call := range byCall {
		out = append(out, onceEach(call)...)
	}
	return out
}

// onceEach are the records that count of those of one call: one, or all that contradict each other.
func onceEach(call []called) (out []called) {
	if len(call) == 1 && call[0].corrects == "" {
		return call
	}
	type credential struct{ account, key, principal string }
	of := func(c called) credential {
		return credential{c.RecipientAccountID, c.UserIdentity.AccessKeyID, c.UserIdentity.PrincipalID}
	}
	corrected, told, named := map[credential]bool{}, map[string][]string{}, map[string]string{}
	for _, c := range call {
		corrected[of(c)] = corrected[of(c)] || c.corrects != ""
		if !slices.Contains(told[c.RecipientAccountID], c.said()) {
			told[c.RecipientAccountID] = append(told[c.RecipientAccountID], c.said())
		}
		named[c.UserIdentity.PrincipalID] = max(named[c.UserIdentity.PrincipalID], c.UserIdentity.AccessKeyID)
	}
	for _, all := range told {
		slices.Sort(all)
	}
	type version struct {
		credential
		place int
	}
	once := map[version]called{}
	for _, c := range call {
		if c.corrects == "" && corrected[of(c)] {
			continue
		}
		v := version{of(c), slices.Index(told[c.RecipientAccountID], c.said())}
		v.account, v.key = "", cmp.Or(c.UserIdentity.AccessKeyID, named[c.UserIdentity.PrincipalID])
		if kept, ok := once[v]; !ok || cmp.Or(cmp.Compare(kept.UserIdentity.AccessKeyID, c.UserIdentity.AccessKeyID), cmp.Compare(c.EventID, kept.EventID)) < 0 {
			once[v] = c
		}
	}
	for _, c := range once {
		c.torn = len(once) > 1
		out = append(out, c)
	}
	return out
}

// said is what a record says of a call.
func (c called) said() string {
	return fmt.Sprintf("%q", []any{c.EventID, c.RequestID, c.EventName, c.ErrorCode, c.EventTime.Unix(), c.AdditionalData["bytesTransferredOut"],
		c.UserIdentity.AccessKeyID, c.UserIdentity.PrincipalID, c.SourceIPAddress, c.key})
}

// group is one row of an answer while it is summed up.
type group struct {
	id                                                   groupID
	bytes, objectBytes, listingBytes, errorBytes, margin float64
	signed                                               float64
	object                                               least
	past                                                 float64
	pastCalls                                            int64
	calls, unsized, copies, torn, amended                int64
	first, last                                          time.Time
	objects                                              map[objectID]bool
	most                                                 [14]string
	place, places                                        int
}

// mostOf are the columns of which a row of Bytes shows the largest.
var mostOf = [14]string{"source_ip", "type", "principal_id", "arn", "account_id", "access_key_id", "user_name", "issuer_arn", "issuer_user_name",
	"invoked_by", "on_behalf_of", "source_identity", "provider", "principal"}

type objectID struct{ bucket, key string }

type groupID struct{ part, actor, name, endpoint, endpointAccount, signing string }

// answer answers a question as the engines do: the same rows, in the same order, as DuckDB prints them.
func answer(all []*entry, q evidence.Question) ([]evidence.Row, error) {
	switch q := q.(type) {
	case evidence.Bytes:
		return bytesRows(all, q), nil
	case evidence.Usage:
		return usageRows(all, q), nil
	case evidence.Callers:
		return callersRows(all, q), nil
	case evidence.Bystanders:
		return bystandersRows(all, q), nil
	case evidence.Refused:
		return refusedRows(all, q), nil
	case evidence.Tagged:
		return taggedRows(all, q), nil
	case evidence.Since:
		return sinceRows(all, q), nil
	case evidence.Lineage:
		return lineageRows(all, q), nil
	case evidence.Trust:
		return trustRows(all, q), nil
	case evidence.Ordered:
		return orderedRows(all, q), nil
	case evidence.Copied:
		return copiedRows(all, q), nil
	}
	return nil, fmt.Errorf("the simulated trail does not know the question %q", q.Name())
}

func bytesRows(all []*entry, q evidence.Bytes) []evidence.Row {
	windows := map[int64]evidence.Window{}
	numbers := q.Numbers()
	for _, w := range q.Windows {
		windows[numbers[w.ID]] = w
	}
	var out []evidence.Row
	for _, n := range slices.Sorted(maps.Keys(windows)) {
		for _, row := range windowRows(all, windows[n], q.Margin) {
			row["window_no"] = whole(n)
			out = append(out, row)
		}
	}
	return out
}

func windowRows(all []*entry, q evidence.Window, margin time.Duration) []evidence.Row {
	groups := map[groupID]*group{}
	of := func(id groupID) *group {
		g := groups[id]
		if g == nil {
			g = &group{id: id}
			groups[id] = g
		}
		return g
	}
	edge := q.From.Add(-evidence.Edge)
	for _, c := range windowCalls(all, q, margin) {
		inside := !c.EventTime.Before(q.From) && c.EventTime.Before(q.To)
		past := !c.EventTime.Before(edge.Add(-evidence.LastHour)) && c.EventTime.Before(edge)
		if c.EventTime.Before(q.From.Add(-margin)) {
			g := of(groupID{part: "all"})
			g.widen(c)
			g.countPast(c, past)
			continue
		}
		a := c.actor
		for _, id := range []groupID{{part: "all"}, {part: "actor", actor: a}, {part: "bucket", actor: a, name: c.bucket}, {part: "call", actor: a, name: c.EventName},
			{"origin", a, c.network, c.VPCEndpointID, c.VPCEndpointAccount, c.signing}, {part: "agent", actor: a, name: c.agent}, {part: "error", actor: a, name: c.ErrorCode}} {
			if id.part == "error" && id.name == "" {
				continue
			}
			g := of(id)
			g.count(c, inside)
			g.countPast(c, past)
		}
	}
	rows := slices.Collect(maps.Values(groups))
	order := func(x, y *group) int {
		return cmp.Or(cmp.Compare(y.bytes, x.bytes), cmp.Compare(y.copies, x.copies), cmp.Compare(y.calls, x.calls), cmp.Compare(y.margin, x.margin),
			cmp.Compare(x.id.actor, y.id.actor), cmp.Compare(x.id.name, y.id.name), cmp.Compare(x.id.endpoint, y.id.endpoint),
			cmp.Compare(x.id.endpointAccount, y.id.endpointAccount), cmp.Compare(x.id.signing, y.id.signing))
	}
	place(rows, order, func(g *group) string {
		if g.id.part == "actor" {
			return "actor"
		}
		return g.id.part + "\x00" + g.id.actor
	})
	slices.SortFunc(rows, func(x, y *group) int {
		return cmp.Or(cmp.Compare(x.id.part, y.id.part), cmp.Compare(x.id.actor, y.id.actor), cmp.Compare(x.place, y.place))
	})
	var out []evidence.Row
	for _, g := range rows {
		actor := groups[groupID{part: "actor", actor: g.id.actor}]
		switch {
		case g.id.part == "all":
		case actor.place > evidence.MaxActors:
			continue
		case g.id.part == "actor" || g.place <= evidence.MaxDetails || g.id.part == "origin" && g.place <= 400:
		default:
			continue
		}
		row := evidence.Row{"part": g.id.part, "actor": g.id.actor, "name": g.id.name, "vpc_endpoint": g.id.endpoint, "vpc_endpoint_account": g.id.endpointAccount,
			"signing": g.id.signing, "bytes": double(g.bytes), "object_bytes": double(g.objectBytes), "signed_bytes": double(g.signed), "object": g.object.min, "other_object": g.object.max, "listing_bytes": double(g.listingBytes), "error_bytes": double(g.errorBytes),
			"margin_bytes": double(g.margin), "calls": whole(g.calls), "unsized": whole(g.unsized), "copies": whole(g.copies), "first_seen": unix(g.first), "last_seen": unix(g.last),
			"objects": whole(int64(len(g.objects))), "torn": whole(g.torn), "amended": whole(g.amended), "past_calls": whole(g.pastCalls), "past_bytes": double(g.past), "places": whole(int64(g.places))}
		for i, column := range mostOf {
			row[column] = g.most[i]
		}
		out = append(out, row)
	}
	return out
}

// place numbers the rows within each part of the answer.
func place(rows []*group, order func(x, y *group) int, partition func(*group) string) {
	parts := map[string][]*group{}
	for _, g := range rows {
		parts[partition(g)] = append(parts[partition(g)], g)
	}
	for _, part := range parts {
		slices.SortFunc(part, order)
		for i, g := range part {
			g.place, g.places = i+1, len(part)
		}
	}
}

// count takes one call into a row.
func (g *group) count(c called, inside bool) {
	g.widen(c)
	if c.torn {
		g.torn++
	}
	if c.Addendum["reason"] != "" {
		g.amended++
	}
	if !inside {
		g.margin += c.out()
		return
	}
	g.calls++
	g.bytes += c.out()
	if c.signing == "header" {
		g.signed += c.out()
	}
	switch {
	case c.ErrorCode != "":
		g.errorBytes += c.out()
	case c.contents():
		g.objectBytes += c.out()
		g.object.add(c.key)
		if g.objects == nil {
			g.objects = map[objectID]bool{}
		}
		g.objects[objectID{c.bucket, c.key}] = true
	default:
		g.listingBytes += c.out()
	}
	if !c.sized && c.read && !c.copied {
		g.unsized++
	}
	if c.copied {
		g.copies++
	}
	g.span(c.EventTime)
}

func (g *group) widen(c called) {
	for i, v := range c.most {
		g.most[i] = max(g.most[i], v)
	}
}

func (g *group) countPast(c called, is bool) {
	if is {
		g.pastCalls++
		g.past += c.out()
	}
}

func (g *group) span(t time.Time) {
	if g.first.IsZero() || t.Before(g.first) {
		g.first = t
	}
	if t.After(g.last) {
		g.last = t
	}
}

// contents reports whether a call's answer is the content of an object.
func (e *entry) contents() bool {
	return e.EventName == "GetObject" || e.EventName == "SelectObjectContent" || e.EventName == "GetObjectTorrent" || e.EventName == "GetObjectAnnotation"
}

// mfa reports whether it is a sign-in to the console with a second factor.
func (e *entry) mfa() bool {
	return e.EventSource == "signin.amazonaws.com" && e.EventName == "ConsoleLogin" && e.AdditionalData["MFAUsed"] == "Yes" && e.ResponseElements["ConsoleLogin"] == "Success"
}

func later(x, y time.Time) time.Time {
	if x.After(y) {
		return x
	}
	return y
}

// least has the least and the greatest of some texts.
type least struct {
	min, max string
	any      bool
}

func (l *least) add(s string) {
	if !l.any || s < l.min {
		l.min = s
	}
	l.max, l.any = max(l.max, s), true
}

func (l *least) all(m least) {
	if m.any {
		l.add(m.min)
		l.add(m.max)
	}
}

// looks are the calls that look around, product the program that an agent names first.
var (
	looks   = regexp.MustCompile(`^(List|Describe|GetCallerIdentity)`)
	product = regexp.MustCompile(`^\[?([A-Za-z0-9._-]+)`)
)

// used is one row of an answer to Usage, and before that one day of it.
type used struct {
	id                     usedID
	days, objectDays       int64
	bytes, most, objects   float64
	sizes                  []float64 // of contents, by day
	begins                 string    // the first day with contents
	ip                     string
	seen, here             group // its time; that of the calls to the buckets
	clocks                 []int64
	object, product        least
	weighs, touched, known bool
	signedIn, looked       time.Time
	who                    map[string]bool // IAM users, and persons of Identity Center
	users                  int64
}

type usedID struct{ part, principal, key, network, endpoint, endpointAccount, signing string }

// on is a day of a row. Its calls are kept apart where they are partly a day old, but for those of an origin.
type on struct {
	usedID
	early bool
	day   string
}

func usageRows(all []*entry, q evidence.Usage) []evidence.Row {
	from, early := q.Before.Add(-evidence.HistorySpan), q.Before.Add(-24*time.Hour)
	daily, since, makers := map[on]*used{}, map[string]time.Time{}, map[string]string{}
	for _, e := range all {
		if e.made == "" {
			continue
		}
		if maker, _, _ := strings.Cut(e.UserIdentity.PrincipalID, ":"); !e.EventTime.Before(from) && e.EventTime.Before(q.Before) {
			makers[e.made+"|"] = max(makers[e.made+"|"], maker)
		}
	}
	add := func(c called, here bool, signing string) {
		origin := usedID{"origin", c.principal, c.UserIdentity.AccessKeyID, c.network, c.VPCEndpointID, c.VPCEndpointAccount, signing}
		old, p := !c.EventTime.After(early), c.principal
		if first, seen := since[c.principal]; !seen || c.EventTime.Before(first) {
			since[c.principal] = c.EventTime
		}
		places := []on{{usedID{part: "principal", principal: p}, old, c.day}, {usedID{part: "key", principal: p, key: c.UserIdentity.AccessKeyID}, old, c.day},
			{usedID{"place", p, "", c.network, c.VPCEndpointID, c.VPCEndpointAccount, ""}, old, c.day},
			{origin, false, c.day}, {usedID{"company", makers[p], "", c.network, c.VPCEndpointID, c.VPCEndpointAccount, ""}, false, ""}}
		if c.ErrorCode != "" {
			origin.part = "refused"
			places = []on{{origin, false, c.day}}
		}
		for _, d := range places {
			u := daily[d]
			if u == nil {
				u = &used{id: d.usedID, who: map[string]bool{}}
				daily[d] = u
			}
			if signing == "header" && (c.UserIdentity.Type == "IAMUser" || strings.Contains(c.UserIdentity.ARN, ":assumed-role/AWSReservedSSO_")) {
				u.who[p] = true
			}
			if c.mfa() {
				u.signedIn = later(u.signedIn, c.EventTime)
			}
			if c.looks {
				u.looked = later(u.looked, c.EventTime)
			}
			if here && c.program != "" {
				u.product.add(c.program)
			}
			u.ip = max(u.ip, c.SourceIPAddress)
			u.bytes += c.out()
			u.seen.span(c.EventTime)
			if here {
				u.touched = true
				u.here.span(c.EventTime)
				u.clocks = append(u.clocks, c.EventTime.Unix()%86400)
			}
			if here && c.contents() {
				u.object.add(c.entry.key)
			}
			if old && signing == "header" {
				u.weighs = true
				if here && c.contents() {
					u.objects += c.out()
				}
			}
		}
	}
	for _, c := range callsOf(all, q.Buckets, from, q.Before) {
		add(c, true, c.signing)
	}
	for _, e := range all {
		if _, here := e.in(q.Buckets); here || e.made != "" || e.EventTime.Before(from) || !e.EventTime.Before(q.Before) {
			continue
		}
		signing := "header"
		if e.EventSource == "s3.amazonaws.com" {
			signing = e.signing
		}
		add(called{entry: e}, false, signing)
	}
	rows, touches := map[usedID]*used{}, map[string]bool{}
	for d, day := range daily {
		maps.DeleteFunc(day.who, func(p string, _ bool) bool { return since[p].After(early) }) // a thief makes users in a minute
		touches[d.principal] = touches[d.principal] || day.touched && d.part != "company" && d.part != "refused"
		if d.part == "company" && len(day.who) == 0 || d.part == "principal" && !(d.early && day.touched) || d.part == "key" && !(!d.early && day.touched) || d.part == "place" && !day.weighs {
			continue
		}
		u := rows[d.usedID]
		if u == nil {
			u = &used{id: d.usedID}
			rows[d.usedID] = u
		}
		u.add(d.day, day)
	}
	place := func(id usedID) usedID { id.principal = ""; return id }
	crowd := map[usedID]int64{}
	for id, u := range rows {
		crowd[place(id)] += u.users
	}
	maps.DeleteFunc(rows, func(id usedID, _ *used) bool { return id.part == "company" && crowd[place(id)] < 2 })
	return usageOf(rows, touches, early)
}

// add takes one day into a row.
func (u *used) add(on string, day *used) {
	u.days++
	u.signedIn, u.looked, u.users = later(u.signedIn, day.signedIn), later(u.looked, day.looked), max(u.users, int64(len(day.who)))
	u.bytes, u.most, u.objects = u.bytes+day.bytes, max(u.most, day.bytes), u.objects+day.objects
	u.sizes = append(u.sizes, day.objects)
	if day.objects > 0 && on != "" {
		u.objectDays++
		if u.begins == "" || on < u.begins {
			u.begins = on
		}
	}
	u.ip, u.clocks = max(u.ip, day.ip), append(u.clocks, day.clocks...)
	seen := day.seen
	if u.id.part == "principal" || u.id.part == "key" {
		seen = day.here
	}
	u.seen.span(seen.first)
	u.seen.span(seen.last)
	u.object.all(day.object)
	u.product.all(day.product)
}

// usageOf ranks the rows and writes them.
func usageOf(rows map[usedID]*used, touches map[string]bool, early time.Time) []evidence.Row {
	at := func(id usedID) usedID { id.key, id.signing = "", ""; return id }
	begun := map[usedID]time.Time{}
	for id, u := range rows {
		if b := begun[at(id)]; b.IsZero() || u.seen.first.Before(b) {
			begun[at(id)] = u.seen.first
		}
	}
	parts := map[usedID][]*used{}
	for id, u := range rows {
		if touches[id.principal] || id.part == "company" {
			u.known = !begun[at(id)].After(early)
			of := usedID{part: id.part, principal: id.principal}
			parts[of] = append(parts[of], u)
		}
	}
	number := func(b bool) int { return map[bool]int{true: 1}[b] }
	users := func(u *used) string {
		if u.id.part != "company" {
			return ""
		}
		return whole(u.users)
	}
	var out []evidence.Row
	for _, part := range slices.SortedFunc(maps.Keys(parts), func(x, y usedID) int {
		return cmp.Or(cmp.Compare(x.part, y.part), cmp.Compare(x.principal, y.principal))
	}) {
		list, known, begins := parts[part], 0, map[string]bool{}
		slices.SortFunc(list, func(x, y *used) int {
			return cmp.Or(cmp.Compare(number(y.known), number(x.known)), cmp.Compare(y.days, x.days), y.seen.last.Compare(x.seen.last), cmp.Compare(x.id.key, y.id.key),
				cmp.Compare(x.id.network, y.id.network), cmp.Compare(x.id.endpoint, y.id.endpoint), cmp.Compare(x.id.endpointAccount, y.id.endpointAccount), cmp.Compare(x.id.signing, y.id.signing))
		})
		for _, u := range list {
			known += number(u.known)
			begins[u.begins] = true
		}
		delete(begins, "")
		most := 100
		if part.part == "company" {
			most = 500
		}
		for _, u := range list[:min(most, len(list))] {
			slices.SortFunc(u.sizes, func(x, y float64) int { return cmp.Compare(y, x) })
			slices.Sort(u.clocks)
			sizes, clocks := append(u.sizes, 0), append(u.clocks, 0) // nothing is 0
			out = append(out, evidence.Row{"part": u.id.part, "principal": u.id.principal, "access_key_id": u.id.key, "network": u.id.network, "vpc_endpoint": u.id.endpoint,
				"vpc_endpoint_account": u.id.endpointAccount, "signing": u.id.signing, "source_ip": u.ip, "days": whole(u.days), "most_bytes": double(u.most), "bytes": double(u.bytes),
				"object_days": whole(u.objectDays), "object_bytes": double(u.objects), "object_most": double(sizes[0]), "object_second": double(sizes[1]),
				"new_days": whole(int64(len(begins))), "signed_in": unix(u.signedIn), "users": users(u), "first_seen": unix(u.seen.first), "last_seen": unix(u.seen.last),
				"first_clock": double(float64(clocks[0])), "last_clock": double(float64(clocks[max(len(u.clocks), 1)-1])), "object": u.object.min, "other_object": u.object.max,
				"looked": unix(u.looked), "product": u.product.min, "other_product": u.product.max,
				"places": whole(int64(known)), "all_places": whole(int64(len(list)))})
		}
	}
	return out
}

// userID is a credential at a place.
type userID struct{ credential, network, endpoint, endpointAccount string }

// user is one row of an answer to Callers.
type user struct {
	id                          userID
	ip                          string
	seen                        group
	slots, days, clocks         map[int64]bool
	services, programs, buckets map[string]bool
}

func callersRows(all []*entry, q evidence.Callers) []evidence.Row {
	asked, users := map[string]bool{}, map[userID]*user{}
	for _, id := range q.Credentials {
		asked[id] = true
	}
	for _, e := range all {
		id := userID{e.UserIdentity.PrincipalID, e.network, e.VPCEndpointID, e.VPCEndpointAccount}
		if id.endpoint != "" {
			id.network = ""
		}
		if strings.HasPrefix(e.UserIdentity.AccessKeyID, "AKIA") {
			id.credential = e.UserIdentity.AccessKeyID
		}
		if e.UserIdentity.AccessKeyID == "" || id.credential == "" || e.ErrorCode != "" || e.EventTime.Before(q.Before.Add(-evidence.CallersSpan)) || !e.EventTime.Before(q.Before) {
			continue
		}
		u := users[id]
		if u == nil {
			u = &user{id: id, slots: map[int64]bool{}, days: map[int64]bool{}, clocks: map[int64]bool{}, services: map[string]bool{}, programs: map[string]bool{}, buckets: map[string]bool{}}
			users[id] = u
		}
		u.ip = max(u.ip, e.SourceIPAddress)
		u.seen.span(e.EventTime)
		slot := e.EventTime.Unix() / 3600
		u.slots[slot], u.days[slot/24], u.clocks[slot%24*3600], u.services[e.EventSource] = true, true, true, true
		if e.program != "" {
			u.programs[e.program] = true
		}
		if bucket := cmp.Or(e.inResources, e.named); e.EventSource == "s3.amazonaws.com" && bucket != "" {
			if slices.Contains(q.Buckets, e.named) {
				bucket = e.named
			}
			u.buckets[bucket] = true
			asked[id.credential] = asked[id.credential] || slices.Contains(q.Buckets, bucket)
		}
	}
	by := map[string][]*user{}
	for id, u := range users {
		if asked[id.credential] {
			by[id.credential] = append(by[id.credential], u)
		}
	}
	better := func(x, y *user) int {
		return cmp.Or(cmp.Compare(len(y.days), len(x.days)), cmp.Compare(len(y.slots), len(x.slots)), y.seen.last.Compare(x.seen.last))
	}
	placed := func(x, y userID) int {
		return cmp.Or(cmp.Compare(x.network, y.network), cmp.Compare(x.endpoint, y.endpoint), cmp.Compare(x.endpointAccount, y.endpointAccount))
	}
	place := map[*user]int{}
	var told []*user
	for _, list := range by {
		slices.SortFunc(list, func(x, y *user) int { return cmp.Or(better(x, y), placed(x.id, y.id)) })
		for i, u := range list[:min(len(list), 20)] {
			place[u] = i + 1
			told = append(told, u)
		}
	}
	slices.SortFunc(told, func(x, y *user) int {
		return cmp.Or(cmp.Compare(place[x], place[y]), better(x, y), cmp.Compare(x.id.credential, y.id.credential), placed(x.id, y.id))
	})
	var out []evidence.Row
	for _, u := range told {
		row := evidence.Row{"credential": u.id.credential, "vpc_endpoint": u.id.endpoint, "vpc_endpoint_account": u.id.endpointAccount, "source_ip": u.ip,
			"first_seen": unix(u.seen.first), "last_seen": unix(u.seen.last), "hours": whole(int64(len(u.slots))), "days": whole(int64(len(u.days))), "clocks": whole(int64(len(u.clocks))),
			"first_clock": whole(slices.Min(slices.Collect(maps.Keys(u.clocks)))), "places": whole(int64(len(by[u.id.credential])))}
		u.named(row, "service", u.services)
		u.named(row, "program", u.programs)
		u.named(row, "bucket", u.buckets)
		out = append(out, row)
	}
	return out
}

// bystandersRows tells persons apart as entry.behind does.
func bystandersRows(all []*entry, q evidence.Bystanders) []evidence.Row {
	type bystander struct {
		aim          int
		sort, caller string
		ip, endpoint string
		seen         group
	}
	by := map[[3]string]*bystander{}
	for _, e := range all {
		u := e.UserIdentity
		if e.ErrorCode != "" || e.EventTime.Before(q.Before.Add(-evidence.HistorySpan)) || !e.EventTime.Before(q.Before) || e.ResponseElements["ConsoleLogin"] == "Failure" {
			continue
		}
		id, session, _ := strings.Cut(u.PrincipalID, ":")
		_, person, _ := strings.Cut(e.principal, "|")
		sort, caller := "name", id+":"+person
		switch {
		case u.Type == "AWSAccount" && u.AccountID == "anonymous":
			sort, caller = "anonymous", cmp.Or(e.VPCEndpointID, e.network)
		case strings.HasPrefix(u.AccessKeyID, "AKIA"):
			sort, caller = "key", u.AccessKeyID
		case session == "" && person == "":
			sort, caller = "session", cmp.Or(u.AccessKeyID, u.PrincipalID)
		case person == "":
			sort, caller = "machine", u.PrincipalID
		}
		bucket := ""
		if e.EventSource == "s3.amazonaws.com" {
			bucket = cmp.Or(e.inResources, e.named)
		}
		see := func(aim int, sort, caller string) {
			key := [3]string{fmt.Sprint(aim), sort, caller}
			if by[key] == nil {
				by[key] = &bystander{aim: aim, sort: sort, caller: caller}
			}
			b := by[key]
			b.ip, b.endpoint = max(b.ip, e.SourceIPAddress), max(b.endpoint, e.VPCEndpointID)
			b.seen.span(e.EventTime)
		}
		if e.EventTime.Before(q.Before.Add(-evidence.HistorySpan + 24*time.Hour)) {
			see(-1, "held", "held")
		}
		for i, a := range q.Of {
			hit := a.PrincipalID != "" && cmp.Or(e.issuerID, id) == a.PrincipalID || a.ARN != "" && cmp.Or(e.issuer("arn"), u.ARN) == a.ARN
			if a.Bucket != "" {
				hit = bucket == a.Bucket && (u.PrincipalID == a.PrincipalID && a.PrincipalID != "" || a.PrincipalID == "" && u.Type == "AWSAccount")
			}
			if !hit || slices.Contains(a.Without, caller) || !a.Askable() {
				continue
			}
			see(i, sort, caller)
		}
	}
	list := slices.SortedFunc(maps.Values(by), func(x, y *bystander) int {
		return cmp.Or(cmp.Compare(x.aim, y.aim), cmp.Compare(x.sort, y.sort), y.seen.last.Compare(x.seen.last), cmp.Compare(x.caller, y.caller))
	})
	var out []evidence.Row
	for n, b := range list {
		callers, fresh, place := int64(0), int64(0), 0
		for m, o := range list {
			if o.aim != b.aim || o.sort != b.sort {
				continue
			}
			if callers++; o.seen.first.After(q.Before.AddDate(0, 0, -1)) {
				fresh++
			}
			if m < n {
				place++
			}
		}
		if place < 10 {
			out = append(out, evidence.Row{"aim": whole(int64(b.aim)), "sort": b.sort, "caller": b.caller, "source_ip": b.ip, "vpc_endpoint": b.endpoint,
				"first_seen": unix(b.seen.first), "last_seen": unix(b.seen.last), "callers": whole(callers), "fresh": whole(fresh)})
		}
	}
	return out
}

// named reports whether a principal is one of those that a question names. An account's id is none of which it asks.
func named(ids []string, id string) bool {
	return strings.HasPrefix(id, "A") && slices.Contains(ids, id)
}

func refusedRows(all []*entry, q evidence.Refused) []evidence.Row {
	type refusal struct {
		user
		calls map[string]bool
	}
	places := map[userID]*refusal{}
	unique := func(e *entry) string { id, _, _ := strings.Cut(e.UserIdentity.PrincipalID, ":"); return id }
	for _, e := range all {
		asked := slices.Contains(q.KeyIDs, e.UserIdentity.AccessKeyID) || named(q.PrincipalIDs, unique(e)) || named(q.PrincipalIDs, e.issuerID)
		if !asked || e.ErrorCode != "AccessDenied" || e.EventTime.Before(q.From) || !e.EventTime.Before(q.To) {
			continue
		}
		id := userID{e.UserIdentity.PrincipalID, e.network, e.VPCEndpointID, e.VPCEndpointAccount}
		if strings.HasPrefix(e.UserIdentity.AccessKeyID, "AKIA") {
			id.credential = e.UserIdentity.AccessKeyID
		}
		if id.endpoint != "" {
			id.network = ""
		}
		u := places[id]
		if u == nil {
			u = &refusal{user{id: id, services: map[string]bool{}, programs: map[string]bool{}}, map[string]bool{}}
			places[id] = u
		}
		u.ip = max(u.ip, e.SourceIPAddress)
		u.seen.span(e.EventTime)
		u.calls[cmp.Or(e.SharedEventID, e.EventID)], u.services[e.EventName] = true, true
		if e.program != "" {
			u.programs[e.program] = true
		}
	}
	var out []evidence.Row
	list := slices.SortedFunc(maps.Values(places), func(x, y *refusal) int {
		return cmp.Or(cmp.Compare(len(y.calls), len(x.calls)), y.seen.last.Compare(x.seen.last), cmp.Compare(x.id.credential, y.id.credential), cmp.Compare(x.id.network, y.id.network),
			cmp.Compare(x.id.endpoint, y.id.endpoint), cmp.Compare(x.id.endpointAccount, y.id.endpointAccount))
	})
	for _, u := range list[:min(len(list), 200)] {
		row := evidence.Row{"credential": u.id.credential, "vpc_endpoint": u.id.endpoint, "vpc_endpoint_account": u.id.endpointAccount, "source_ip": u.ip,
			"calls": whole(int64(len(u.calls))), "first_seen": unix(u.seen.first), "last_seen": unix(u.seen.last)}
		u.named(row, "name", u.services)
		u.named(row, "program", u.programs)
		out = append(out, row)
	}
	return out
}

// named writes the first and the last of names, and how many they are.
func (*user) named(row evidence.Row, column string, names map[string]bool) {
	sorted := append(slices.Sorted(maps.Keys(names)), "")
	row[column+"s"], row[column], row["other_"+column] = whole(int64(len(names))), sorted[0], sorted[max(len(names), 1)-1]
}

func taggedRows(all []*entry, q evidence.Tagged) []evidence.Row {
	field, name, calls := "userName", q.User, []string{"TagUser", "CreateUser"}
	if q.Role != "" {
		field, name, calls = "roleName", q.Role, []string{"TagRole", "CreateRole"}
	}
	var best *entry
	names := func(e *entry) int {
		return map[bool]int{true: 0, false: 1}[strings.Contains(strings.ToLower(e.RequestParameters["tags"]), strings.ToLower(q.Tag))]
	}
	for _, e := range all {
		if e.EventSource != "iam.amazonaws.com" || !slices.Contains(calls, e.EventName) || e.RequestParameters[field] != name || e.ErrorCode != "" ||
			e.EventTime.Before(q.From) || !e.EventTime.Before(q.To) {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(names(e), names(best)), best.EventTime.Compare(e.EventTime), cmp.Compare(e.EventID, best.EventID)) < 0 {
			best = e
		}
	}
	if best == nil {
		return nil
	}
	return []evidence.Row{{"at": unix(best.EventTime), "call": best.EventName, "arn": best.UserIdentity.ARN,
		"access_key_id": best.UserIdentity.AccessKeyID, "source_ip": best.SourceIPAddress}}
}

// making is what a call has made, in the order of the columns: gave, given, of_user, of_role and what.
func (e *entry) making() (all [5]string) {
	p := e.RequestParameters
	for given, id := range map[string]string{"assumedRoleUser": "assumedRoleId", "federatedUser": "federatedUserId"} {
		if of, ok := e.ResponseElements[given].(map[string]string); ok {
			all[1] = of[id]
		}
	}
	all[0], all[2], all[3] = e.gave, p["userName"], cmp.Or(p["roleName"], p["groupName"])
	all[4] = cmp.Or(p["policyArn"], p["policyName"], p["sAMLProviderArn"], p["openIDConnectProviderArn"], p["name"])
	return all
}

// makers are the calls of evidence.Lineage that the simulation knows.
var makers = []string{"AssumeRole", "AssumeRoleWithSAML", "GetSessionToken", "GetFederationToken", "GetScopedCredentials", "CreateAccessKey", "CreateUser", "CreateRole", "UpdateAssumeRolePolicy", "CreateSAMLProvider", "UpdateSAMLProvider",
	"AttachUserPolicy", "PutUserPolicy", "CreateLoginProfile", "ConsoleLogin", "CreateOAuth2Token"}

func lineageRows(all []*entry, q evidence.Lineage) []evidence.Row {
	type one struct {
		*entry
		part string
		nth  int
		torn bool
	}
	once, keys := map[[3]string]one{}, map[[3]string]string{}
	unnamed := func(e *entry) int { return map[bool]int{true: 1}[e.UserIdentity.AccessKeyID == ""] }
	for _, e := range all {
		key, principal := e.UserIdentity.AccessKeyID, e.UserIdentity.PrincipalID
		signsIn := e.EventName == "ConsoleLogin" || e.EventName == "CreateOAuth2Token"
		given := e.gave != "" && slices.Contains(q.Given, e.gave) || signsIn && slices.Contains(q.SignedIn, principal)
		made := key != "" && slices.Contains(q.Keys, key) || slices.Contains(q.Sessions, principal) && !strings.HasPrefix(key, "AKIA")
		if !slices.Contains([]string{"iam.amazonaws.com", "sts.amazonaws.com", "signin.amazonaws.com"}, e.EventSource) || !slices.Contains(makers, e.EventName) || !given && !made ||
			e.ErrorCode != "" || signsIn && e.ResponseElements["ConsoleLogin"] == "Failure" || e.EventTime.Before(q.From) || !e.EventTime.Before(q.To) {
			continue
		}
		id := [3]string{cmp.Or(e.SharedEventID, e.EventID), e.EventName, e.gave}
		if kept, ok := once[id]; !ok || cmp.Or(cmp.Compare(unnamed(e), unnamed(kept.entry)), cmp.Compare(key, kept.UserIdentity.AccessKeyID), cmp.Compare(e.EventID, kept.EventID)) < 0 {
			once[id] = one{entry: e, part: map[bool]string{true: "given", false: "made"}[given], torn: once[id].torn}
		}
		if key != "" {
			if of := once[id]; keys[id] != "" && keys[id] != key {
				of.torn = true
				once[id] = of
			}
			keys[id] = key
		}
	}
	list := slices.SortedFunc(maps.Values(once), func(x, y one) int { return cmp.Or(y.EventTime.Compare(x.EventTime), cmp.Compare(x.EventID, y.EventID)) })
	nth, places := map[string]int{}, map[string]int64{}
	for i, e := range list {
		m := e.making()
		m[0] = ""
		of := fmt.Sprintf("%q", []any{e.part, e.EventName, e.UserIdentity.AccessKeyID, e.UserIdentity.PrincipalID, m})
		nth[of]++
		list[i].nth = nth[of]
		places[e.part]++
	}
	elsewhere := func(e one) int { return map[bool]int{true: 1}[e.EventSource != "iam.amazonaws.com"] }
	slices.SortStableFunc(list, func(x, y one) int {
		return cmp.Or(cmp.Compare(x.part, y.part), cmp.Compare(x.nth, y.nth), cmp.Compare(elsewhere(x), elsewhere(y)), cmp.Compare(unnamed(x.entry), unnamed(y.entry)))
	})
	var out []evidence.Row
	listed := map[string]int{}
	for _, e := range list {
		if listed[e.part]++; listed[e.part] > 60 {
			continue
		}
		row, m := e.who(), e.making()
		signIn, _ := e.AdditionalData["signInSessionArn"].(string)
		for column, v := range map[string]string{"part": e.part, "at": unix(e.EventTime), "event_id": e.EventID, "service": e.EventSource, "call": e.EventName, "source_ip": e.SourceIPAddress,
			"vpc_endpoint": e.VPCEndpointID, "gave": m[0], "given": m[1], "lasts_until": "", "role_given": e.RequestParameters["roleArn"], "session_given": e.RequestParameters["roleSessionName"],
			"provider_given": e.RequestParameters["principalArn"], "sign_in": signIn, "of_user": m[2], "of_role": m[3], "what": m[4], "torn": map[bool]string{true: "1", false: "0"}[e.torn], "places": whole(places[e.part])} {
			row[column] = v
		}
		out = append(out, row)
	}
	return out
}

func trustRows(all []*entry, q evidence.Trust) []evidence.Row {
	var best *entry
	for _, e := range all {
		role := (e.EventName == "CreateRole" || e.EventName == "UpdateAssumeRolePolicy") && e.RequestParameters["roleName"] == q.Role
		provider := strings.HasSuffix(e.EventName, "SAMLProvider") && q.Provider != "" && e.RequestParameters["sAMLProviderArn"] == q.Provider
		if e.EventSource != "iam.amazonaws.com" || e.ErrorCode != "" || !role && !provider || e.EventTime.Before(q.From) || !e.EventTime.Before(q.To) {
			continue
		}
		if best == nil || cmp.Or(best.EventTime.Compare(e.EventTime), cmp.Compare(e.EventID, best.EventID)) < 0 {
			best = e
		}
	}
	if best == nil {
		return nil
	}
	return []evidence.Row{{"at": unix(best.EventTime), "call": best.EventName, "arn": best.UserIdentity.ARN,
		"access_key_id": best.UserIdentity.AccessKeyID, "source_ip": best.SourceIPAddress}}
}

var (
	otherBucket  = regexp.MustCompile(`arn:aws[a-z-]*:s3:::[\w.-]+|Account\W{1,6}\d{12}`)
	distribution = regexp.MustCompile(`arn:aws[a-z-]*:cloudfront::\d{12}:distribution/[A-Z0-9]+`)
)

func orderedRows(all []*entry, q evidence.Ordered) []evidence.Row {
	latest := map[[4]string]*entry{}
	given := func(e *entry) string {
		var values []string
		for _, k := range slices.Sorted(maps.Keys(e.RequestParameters)) {
			values = append(values, e.RequestParameters[k])
		}
		return strings.Join(values, " ")
	}
	about := func(e *entry) bool {
		if e.named != "" {
			return slices.Contains(q.Buckets, e.named)
		}
		words := strings.FieldsFunc(given(e), func(c rune) bool { return strings.ContainsRune(" :/\"{}[],", c) })
		return slices.ContainsFunc(words, func(word string) bool {
			name, _, _ := strings.Cut(word, ".s3.")
			return slices.Contains(q.Buckets, name)
		})
	}
	for _, e := range all {
		asked := slices.ContainsFunc(q.Calls, func(call string) bool { return strings.HasPrefix(e.EventName, call) })
		if !asked || e.EventSource != "s3.amazonaws.com" && e.EventSource != "cloudfront.amazonaws.com" || e.ErrorCode != "" ||
			e.EventTime.Before(q.From) || !e.EventTime.Before(q.To) || !about(e) {
			continue
		}
		id := [4]string{e.EventName, e.UserIdentity.AccessKeyID, e.UserIdentity.PrincipalID, e.UserIdentity.ARN}
		if known := latest[id]; known == nil || e.EventTime.After(known.EventTime) {
			latest[id] = e
		}
	}
	rows := slices.SortedFunc(maps.Values(latest), func(x, y *entry) int {
		return cmp.Or(y.EventTime.Compare(x.EventTime), cmp.Compare(x.EventName, y.EventName), cmp.Compare(x.UserIdentity.AccessKeyID, y.UserIdentity.AccessKeyID),
			cmp.Compare(x.UserIdentity.PrincipalID, y.UserIdentity.PrincipalID), cmp.Compare(x.UserIdentity.ARN, y.UserIdentity.ARN))
	})
	var out []evidence.Row
	for _, e := range rows[:min(len(rows), 5)] {
		row := e.who()
		row["at"], row["call"], row["source_ip"] = unix(e.EventTime), e.EventName, e.SourceIPAddress
		row["detail"] = strings.Join(append(otherBucket.FindAllString(given(e), -1), distribution.FindAllString(given(e), -1)...), " ")
		out = append(out, row)
	}
	return out
}

func copiedRows(all []*entry, q evidence.Copied) []evidence.Row {
	type last struct {
		at       int64
		id, name string
	}
	type sum struct {
		calls       map[string]bool
		owner       string
		who         last
		first, last time.Time
	}
	sums := map[[2]string]*sum{}
	for _, e := range all {
		if !e.data || e.EventSource != "s3.amazonaws.com" || e.EventName != "CopyObject" && e.EventName != "UploadPartCopy" || e.ErrorCode != "" ||
			e.EventTime.Before(q.From) || !e.EventTime.Before(q.To) || len(q.Buckets) > 0 && slices.Contains(q.Buckets, e.named) {
			continue
		}
		owner := ""
		for _, r := range e.Resources[:min(4, len(e.Resources))] {
			if m := bucketARN.FindStringSubmatch(r.ARN); m != nil && m[1] == e.named {
				owner = cmp.Or(owner, r.AccountID)
			}
		}
		u := e.UserIdentity
		who := last{e.EventTime.Unix(), e.EventID, cmp.Or(u.ARN, u.PrincipalID, u.InvokedBy)}
		for _, source := range append(slices.Clone(e.among), e.copiedFrom) {
			if source == "" || source == e.named || source != e.copiedFrom && !e.hides || len(q.Buckets) > 0 && !slices.Contains(q.Buckets, source) {
				continue
			}
			s := sums[[2]string{source, e.named}]
			if s == nil {
				s = &sum{calls: map[string]bool{}, first: e.EventTime}
				sums[[2]string{source, e.named}] = s
			}
			s.calls[cmp.Or(e.SharedEventID, e.EventID)], s.owner = true, max(s.owner, owner)
			if cmp.Or(cmp.Compare(who.at, s.who.at), cmp.Compare(who.id, s.who.id), cmp.Compare(who.name, s.who.name)) > 0 {
				s.who = who
			}
			if e.EventTime.Before(s.first) {
				s.first = e.EventTime
			}
			s.last = later(s.last, e.EventTime)
		}
	}
	pairs := slices.SortedFunc(maps.Keys(sums), func(x, y [2]string) int {
		return cmp.Or(cmp.Compare(len(sums[y].calls), len(sums[x].calls)), cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]))
	})
	var out []evidence.Row
	for _, pair := range pairs[:min(len(pairs), evidence.MaxCopied+1)] {
		s := sums[pair]
		out = append(out, evidence.Row{"source": pair[0], "destination": pair[1], "owner": s.owner, "who": s.who.name, "copies": whole(int64(len(s.calls))),
			"first_seen": unix(s.first), "last_seen": unix(s.last)})
	}
	return out
}

// who are the columns that name the caller.
func (e *entry) who() evidence.Row {
	u := e.UserIdentity
	return evidence.Row{"type": u.Type, "principal_id": u.PrincipalID, "arn": u.ARN, "account_id": u.AccountID, "access_key_id": u.AccessKeyID, "user_name": u.UserName,
		"issuer_arn": e.issuer("arn"), "issuer_user_name": e.issuer("userName"), "invoked_by": u.InvokedBy, "on_behalf_of": "", "source_identity": e.sourceIdentity(), "provider": ""}
}

// deeds is one row of an answer to Since while it is summed up.
type deeds struct {
	id           deedID
	writes       int64
	calls        int64
	bytes        float64
	first, last  time.Time
	newest       string // the eventID of the last
	ip, endpoint string
	origins      map[string]bool
}

type deedID struct{ part, key, principal, service, name string }

func sinceRows(all []*entry, q evidence.Since) []evidence.Row {
	if len(q.KeyIDs)+len(q.PrincipalIDs)+len(q.SessionIDs) == 0 {
		return nil
	}
	once := map[string]*entry{}
	rank := func(e *entry) string {
		return map[bool]string{true: "1", false: "0"}[e.UserIdentity.AccessKeyID == ""] + e.EventID
	}
	unique := func(e *entry) string { id, _, _ := strings.Cut(e.UserIdentity.PrincipalID, ":"); return id }
	for _, e := range all {
		switch {
		case e.EventTime.Before(q.From) || !e.EventTime.Before(q.To) || e.ErrorCode != "":
		case slices.Contains(q.KeyIDs, e.UserIdentity.AccessKeyID), named(q.PrincipalIDs, unique(e)), named(q.PrincipalIDs, e.issuerID), slices.Contains(q.SessionIDs, e.UserIdentity.PrincipalID):
			id := cmp.Or(e.SharedEventID, e.EventID) + "|" + e.EventName
			if kept := once[id]; kept == nil || rank(e) < rank(kept) {
				once[id] = e
			}
		}
	}
	sum := &deeds{id: deedID{part: "all"}, origins: map[string]bool{}}
	groups := map[deedID]*deeds{sum.id: sum}
	for _, id := range slices.Sorted(maps.Keys(once)) {
		e := once[id]
		of := deedID{"deed", e.UserIdentity.AccessKeyID, cmp.Or(e.issuerID, unique(e)), e.EventSource, e.EventName}
		if groups[of] == nil {
			groups[of] = &deeds{id: of, origins: map[string]bool{}}
		}
		for _, d := range []*deeds{sum, groups[of]} {
			if !e.ReadOnly {
				d.writes = 1
			}
			d.calls++
			if e.EventSource == "s3.amazonaws.com" {
				d.bytes += e.bytes
			}
			if cmp.Or(e.EventTime.Compare(d.last), cmp.Compare(e.EventID, d.newest)) > 0 {
				d.newest, d.ip, d.endpoint = e.EventID, e.SourceIPAddress, e.VPCEndpointID
			}
			g := group{first: d.first, last: d.last}
			g.span(e.EventTime)
			d.first, d.last = g.first, g.last
			d.origins[e.network+"|"+e.VPCEndpointID] = true
		}
	}
	rows := slices.SortedFunc(maps.Values(groups), func(x, y *deeds) int {
		return cmp.Or(cmp.Compare(x.id.part, y.id.part), cmp.Compare(y.writes, x.writes), cmp.Compare(y.calls, x.calls), cmp.Compare(y.bytes, x.bytes),
			cmp.Compare(x.id.service, y.id.service), cmp.Compare(x.id.name, y.id.name), cmp.Compare(x.id.key, y.id.key), cmp.Compare(x.id.principal, y.id.principal))
	})
	var out []evidence.Row
	for i, d := range rows[:min(len(rows), 1+evidence.MaxDeeds)] {
		places := 1
		if i > 0 {
			places = len(rows) - 1
		}
		out = append(out, evidence.Row{"part": d.id.part, "access_key_id": d.id.key, "principal_id": d.id.principal, "service": d.id.service, "name": d.id.name,
			"writes": whole(d.writes), "calls": whole(d.calls), "bytes": double(d.bytes), "first_seen": unix(d.first), "last_seen": unix(d.last),
			"source_ip": d.ip, "vpc_endpoint": d.endpoint, "origins": whole(int64(len(d.origins))), "places": whole(int64(places))})
	}
	return out
}

// double is how DuckDB's driver prints a floating-point number, whole a whole one, unix a time in seconds.
func double(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
func whole(n int64) string    { return strconv.FormatInt(n, 10) }
func unix(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return whole(t.Unix())
}
