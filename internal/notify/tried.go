package notify

import "time"

// Tried is what became of the last test of a channel, by its name, as it is kept.
type Tried struct {
	At time.Time `json:"at"`
	// Refused is why it did not take the test; "" where it did.
	Refused string `json:"refused,omitempty"`
}
