package evidence

import "slices"

// Sealed says whether others than CloudTrail can have written, replaced or deleted what an engine reads. The zero value is Open.
type Sealed string

// The three values.
const (
	// Proved: it was read, or it follows from where the records lie: nobody writes into an event data store. Over files it counts as given.
	Proved Sealed = "proved"
	// Stated: the deployer says so, as of a bucket in another account, which cannot be read from here.
	Stated Sealed = "stated"
	// Open: somebody can, or that could not be read.
	Open Sealed = "open"
)

// Seal is how an answer's records are sealed when it is given, and why.
type Seal struct {
	Sealed Sealed `json:"sealed,omitempty"`
	// Why is what speaks against it, a clause each: what others may do, or why that could not be read. It is empty where it is proved.
	Why []string `json:"why,omitempty"`
}

// And is the seal of what was answered from two sources: the weaker one.
func (s Seal) And(other Seal) Seal {
	strength := func(s Seal) int { return slices.Index([]Sealed{Stated, Proved}, s.Sealed) } // -1 is open
	if strength(other) < strength(s) {
		return other
	}
	return s
}
