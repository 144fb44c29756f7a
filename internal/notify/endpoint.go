package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Endpoint is where a topic's messages go: SNS's protocol ("email") and what it calls the endpoint (an address, a URL, an ARN).
// https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
type Endpoint struct {
	Protocol string `json:"protocol"`
	Address  string `json:"address"`
}

// Subscription is what SNS says of an endpoint of a topic.
type Subscription struct {
	Endpoint
	// ARN names it; "" until it is confirmed.
	ARN string
	// Confirmed says that messages are sent to it, Filtered that a filter policy holds some or all of them back.
	Confirmed, Filtered bool
	// Authenticated says that it was confirmed by a signed request. Without that, everybody who holds a message can unsubscribe it by the link
	// in it, a mail scanner among them. https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html
	Authenticated bool
}

// Hears reports whether a message to the topic reaches the endpoint.
func (s Subscription) Hears() bool { return s.Confirmed && !s.Filtered }

// Of are the subscriptions of an endpoint. There may be several: one that was deleted is shown for some time.
func Of(e Endpoint, all []Subscription) []Subscription {
	return slices.DeleteFunc(slices.Clone(all), func(s Subscription) bool { return s.Endpoint != e })
}

// EndpointsFile and WatchersFile are what the deployment calls the lists of the team's endpoints and of the watchers', which lie beside a function's
// code.
const (
	EndpointsFile = "endpoints.json"
	WatchersFile  = "watchers.json"
)

// ReadEndpoints reads such a list from a directory. Where there is none, nobody says who is to hear.
func ReadEndpoints(dir, file string) ([]Endpoint, error) {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []Endpoint
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("reading who is to hear: %v; deploy again", err)
	}
	return all, nil
}
