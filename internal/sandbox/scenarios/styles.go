// Package scenarios plays honest changes and thieves of many styles, and puts what the responder decides beside the truth. The styles and their
// parameters stand in styles.json. From a style and a seed it writes two weeks of CloudTrail records, the metric and the alarm; the real
// responder answers, over an engine that has read the records, with the policy that is judged.
//
// It shares no code and no constant with what turns evidence into facts, or it would prove only that the two agree. It may import the stages,
// the rooms and the sandbox. No Lambda may link it.
package scenarios

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	_ "embed"
)

//go:embed styles.json
var stylesText []byte

// Truth is what a scenario really is.
type Truth string

// The truths.
const (
	Honest Truth = "honest"
	Thief  Truth = "thief"
	// Alike: honest, and no evidence in CloudTrail tells it from a theft. A human has to be asked.
	Alike Truth = "alike"
)

// span is a range from which a value is drawn.
type span [2]float64

// data is the file of the styles.
type data struct {
	World  world   `json:"world"`
	Styles []Style `json:"styles"`
}

// world is what all scenarios share.
type world struct {
	WindowMinutes span `json:"window_minutes"`
	// ThresholdOfMean is the alarm's threshold against the weakest minute of the window, MetricOfRecords what the metric shows of a minute's
	// bytes.
	ThresholdOfMean span `json:"threshold_of_mean"`
	MetricOfRecords span `json:"metric_of_records"`
	Hour            span `json:"hour"`
	BucketGiB       span `json:"bucket_gib"`
	// Around is who else reads the bucket.
	Around []play `json:"around"`
}

// Style is one kind of story.
type Style struct {
	Name  string `json:"name"`
	Truth Truth  `json:"truth"`
	// Shown: a theft by a long-term key for which CloudTrail has all that a containment needs.
	Shown bool   `json:"shown"`
	Says  string `json:"says"`
	Plays []play `json:"plays"`
}

// play is what one principal does. Without days, every and hours it is in the alarm's window.
type play struct {
	// Who is its name, People how many of that name there are. As is its kind: a user's key, or role, session, console.
	Who    string `json:"who"`
	People span   `json:"people"`
	As     string `json:"as"`
	// Key names a credential that another play makes; "" is the principal's own.
	Key, Makes string
	// From names a network, Kind says of which sort: IPv4, v6 or endpoint. Daily: another one for each run. Networks: so many in turn.
	From     string `json:"from"`
	Kind     string `json:"kind"`
	Daily    bool   `json:"daily"`
	Networks span   `json:"networks"`
	// Days is on how many earlier days, Ago how many days back, Hour at which hours (else at the window's time of day).
	Days, Ago, Hour span
	// Every is so many days back, and again; Hours is how many hours back, for Runs.
	Every       int
	Hours, Runs span
	// MiB is what a run takes: drawn once, then varied by Vary. Times is against the principal's biggest day so far, Share against the window.
	MiB, Times, Share, Vary span
	// Calls are the calls of a run, Lasts how many minutes they take.
	Calls, Lasts span
	Call         string `json:"call"`
	Source       string `json:"source"` // of a copy: access-point, alias
	Bucket       string `json:"bucket"` // "other", or the watched one
	Presigned    span   `json:"presigned"`
	Error        string `json:"error"`
	Guilty       bool   `json:"guilty"`
}

// inWindow reports whether the play is what makes the alarm fire, or goes on at that time.
func (p play) inWindow() bool { return p.Days == span{} && p.Every == 0 && p.Hours == span{} }

// read reads the file of the styles.
func read(text []byte) (data, error) {
	var d data
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return data{}, fmt.Errorf("the styles: %v", err)
	}
	names := map[string]bool{}
	for _, s := range d.Styles {
		guilty := slices.ContainsFunc(s.Plays, func(p play) bool { return p.Guilty })
		switch {
		case s.Name == "" || names[s.Name]:
			return data{}, fmt.Errorf("style %q is there twice, or has no name", s.Name)
		case s.Truth != Honest && s.Truth != Thief && s.Truth != Alike:
			return data{}, fmt.Errorf("style %q: there is no truth %q", s.Name, s.Truth)
		case guilty != (s.Truth == Thief) || s.Shown && s.Truth != Thief:
			return data{}, fmt.Errorf("style %q: a thief is guilty, and nobody else", s.Name)
		}
		names[s.Name] = true
	}
	return d, nil
}

// shipped is what the file of the styles says, read once.
var shipped = sync.OnceValue(func() data {
	d, err := read(stylesText)
	if err != nil {
		panic(err) // a test reads it
	}
	return d
})

// Styles are the styles in the file's order.
func Styles() []Style { return slices.Clone(shipped().Styles) }

// Known reports whether there is a style of this name.
func Known(name string) bool {
	return slices.ContainsFunc(Styles(), func(s Style) bool { return s.Name == name })
}

// dice draws a scenario's values.
type dice struct{ *rand.Rand }

// throw makes the dice of one seed of one style.
func throw(style string, seed uint64) dice {
	h := fnv.New64a()
	h.Write([]byte(style))
	return dice{rand.New(rand.NewPCG(seed, h.Sum64()))}
}

// whole is a whole number of the span, both ends included; least where the span is none.
func (d dice) whole(s span, least int) int {
	if s == (span{}) {
		return least
	}
	return int(s[0]) + d.IntN(int(s[1])-int(s[0])+1)
}

// even is a value of the span, each as likely.
func (d dice) even(s span) float64 { return s[0] + d.Float64()*(s[1]-s[0]) }

// scaled is a value of the span, each order of magnitude as likely.
func (d dice) scaled(s span) float64 {
	if s[0] <= 0 {
		return d.even(s)
	}
	return s[0] * math.Exp(d.Float64()*math.Log(s[1]/s[0]))
}

// id is a unique id with a prefix, as IAM makes them.
func (d dice) id(prefix string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	id := []byte(prefix)
	for len(id) < 20 {
		id = append(id, letters[d.IntN(len(letters))])
	}
	return string(id)
}
