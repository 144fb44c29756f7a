package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"nightlatch/internal/alarm"
	"nightlatch/internal/containment"
)

// file is the form of an account's file, for respond --account.
type file struct {
	AccountID string  `json:"account_id"`
	Alias     string  `json:"alias"`
	Users     []*User `json:"users"`
	Roles     []*Role `json:"roles"`
	// Self is the user or role that Nightlatch itself runs as.
	Self string `json:"self"`
	// Metric is BytesDownloaded a minute, by bucket. Where it is missing, the alarm is taken at its word.
	Metric *struct {
		Threshold float64 `json:"threshold"`
		Buckets   map[string][]struct {
			Start time.Time `json:"start"`
			Bytes int64     `json:"bytes"`
		} `json:"buckets"`
	} `json:"metric"`
}

// ReadAccount reads an account's file. Its error names the field.
func ReadAccount(text []byte) (*Account, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var f file
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("line %d: %v", line(text, dec.InputOffset()), err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("line %d: there is more than one JSON object", line(text, dec.InputOffset()))
	}
	if len(f.AccountID) != 12 {
		return nil, fmt.Errorf("account_id: %q is not a 12-digit account id", f.AccountID)
	}
	a := NewAccount(f.AccountID)
	a.Alias, a.self = f.Alias, f.Self
	for i, u := range f.Users {
		if u.Name == "" {
			return nil, fmt.Errorf("users[%d].name is missing", i)
		}
		for j, k := range u.Keys {
			if k.Status != containment.Active && k.Status != containment.Inactive {
				return nil, fmt.Errorf("users[%d].keys[%d].status: %q is neither Active nor Inactive", i, j, k.Status)
			}
			if owner, _ := a.find(k.ID); owner != nil {
				return nil, fmt.Errorf("users[%d].keys[%d].id: key %q is there twice", i, j, k.ID)
			}
		}
		a.users[u.Name] = u
	}
	for i, r := range f.Roles {
		if r.Name == "" {
			return nil, fmt.Errorf("roles[%d].name is missing", i)
		}
		a.roles[r.Name] = r
	}
	if f.Metric != nil {
		a.meter = &Meter{Threshold: f.Metric.Threshold, Buckets: map[string][]alarm.Point{}}
		for b, points := range f.Metric.Buckets {
			for _, p := range points {
				a.meter.Buckets[b] = append(a.meter.Buckets[b], alarm.Point{Start: p.Start.UTC(), Bytes: p.Bytes})
			}
		}
	}
	return a, nil
}

func line(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(int(offset), len(text))], []byte("\n"))
}

// Meter is the account's metric: its file's, or Echo where that has none.
func (a *Account) Meter() alarm.Meter {
	if a.meter == nil {
		return Echo{}
	}
	return given{a.meter}
}

func sortPoints(points []alarm.Point) {
	slices.SortFunc(points, func(x, y alarm.Point) int { return x.Start.Compare(y.Start) })
}
