package alarm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"nightlatch/internal/lazyregexp"
	"nightlatch/internal/settings"
)

// maxManualWindow bounds the window of a manual event: a query is billed by what it scans.
const maxManualWindow = 24 * time.Hour

// parseOurs reads {"nightlatch": {"investigate": …}}, {"nightlatch": {"advance": …}} and {"nightlatch": {"copies": {}}}, strictly: a human may
// have typed it.
func parseOurs(top map[string]json.RawMessage) (Event, error) {
	if len(top) != 1 {
		return Event{}, errors.New(`a manual event has the one field "nightlatch"`)
	}
	var ours struct {
		Investigate *struct {
			Bucket      string `json:"bucket"`
			From        string `json:"from"`
			To          string `json:"to"`
			AccessKeyID string `json:"access_key_id"`
			Bytes       *int64 `json:"bytes"`
		} `json:"investigate"`
		Advance *struct {
			Incident string `json:"incident"`
		} `json:"advance"`
		Copies *struct{} `json:"copies"`
	}
	dec := json.NewDecoder(bytes.NewReader(top["nightlatch"]))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&ours); err != nil {
		return Event{}, fmt.Errorf("nightlatch: %v", err)
	}
	given := 0
	for _, is := range []bool{ours.Investigate != nil, ours.Advance != nil, ours.Copies != nil} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return Event{}, errors.New(`nightlatch: give "investigate", "advance" or "copies", one of them`)
	case ours.Copies != nil:
		return Event{Copies: true}, nil
	case ours.Advance != nil:
		if !IncidentID.MatchString(ours.Advance.Incident) {
			return Event{}, fmt.Errorf("nightlatch.advance.incident: %s is not an incident's id", quote(ours.Advance.Incident))
		}
		return Event{Advance: ours.Advance.Incident}, nil
	}
	in := ours.Investigate
	if err := settings.CheckBucket(in.Bucket); err != nil {
		return Event{}, fmt.Errorf("nightlatch.investigate.bucket: %v", err)
	}
	from, err := time.Parse(time.RFC3339, in.From)
	if err != nil {
		return Event{}, fmt.Errorf("nightlatch.investigate.from: %s is not a time like 2026-03-04T00:01:00Z", quote(in.From))
	}
	to, err := time.Parse(time.RFC3339, in.To)
	if err != nil {
		return Event{}, fmt.Errorf("nightlatch.investigate.to: %s is not a time like 2026-03-04T00:03:00Z", quote(in.To))
	}
	switch {
	case !validTime(from) || !validTime(to):
		return Event{}, errors.New("nightlatch.investigate: from and to lie between the years 2006 and 9998")
	case !to.After(from):
		return Event{}, errors.New("nightlatch.investigate.to: the window ends before it begins")
	case to.Sub(from) > maxManualWindow:
		return Event{}, fmt.Errorf("nightlatch.investigate: the window is %v long, more than %v", to.Sub(from), maxManualWindow)
	case in.AccessKeyID != "" && !accessKey.MatchString(in.AccessKeyID):
		return Event{}, fmt.Errorf("nightlatch.investigate.access_key_id: %s is not an access key id", quote(in.AccessKeyID))
	case in.Bytes != nil && *in.Bytes < 0:
		return Event{}, fmt.Errorf("nightlatch.investigate.bytes: %d is negative", *in.Bytes)
	}
	return Event{Alarm: &Alarm{
		Source: Manual, Buckets: []string{in.Bucket}, From: from.UTC(), To: to.UTC(), Since: to.UTC(),
		Period: time.Minute, Bytes: in.Bytes, Claimed: in.Bytes, AccessKeyID: in.AccessKeyID,
	}}, nil
}

// Copied is the question about copies out of a bucket: who copied to there in [from, to)? Its incident is the only one of that source and
// destination, whenever it is asked.
func Copied(source, destination string, from, to time.Time) Alarm {
	return Alarm{Source: Manual, Buckets: []string{source}, From: from.UTC(), To: to.UTC(), Since: to.UTC(), Period: time.Minute, CopiedTo: destination}
}

var accessKey = lazyregexp.New(`^(AKIA|ASIA)[A-Z0-9]{12,124}$`)

// validTime keeps out what no CloudTrail record can have (S3 began in 2006), and what would overflow later. A window may end
// in a year above 9999, which has no JSON form.
func validTime(t time.Time) bool { return t.UTC().Year() >= 2006 && t.UTC().Year() <= 9998 }
