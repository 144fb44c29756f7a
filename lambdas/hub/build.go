package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"nightlatch/internal/clock"
	"nightlatch/internal/hub"
	"nightlatch/internal/incident"
	"nightlatch/internal/incident/dynamo"
	"nightlatch/internal/notify"
	"nightlatch/internal/notify/sns"
	"nightlatch/internal/settings"
)

// build makes the teller that the environment describes. It makes no call to AWS.
func build(cfg aws.Config, environ []string, root string) (hub.Teller, error) {
	s, err := settings.ParseHub(environ)
	if err != nil {
		return hub.Teller{}, err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: s.LogLevel}))
	now := clock.System{}
	store, err := dynamo.New(cfg, s.Table)
	if err != nil {
		return hub.Teller{}, err
	}
	topics := sns.Deployment{Team: s.Topic, Others: s.Topics, Watchers: s.Watchers, Dir: root, Turns: store.Turns(notify.Interval)}
	team, watchers, err := topics.Channels(cfg, now, log)
	if err != nil {
		return hub.Teller{}, err
	}
	return hub.Teller{Store: kept{store}, Team: team, Watchers: watchers, Accounts: s.Accounts, Here: incident.Place{AccountID: strings.Split(s.Topic, ":")[4], Region: cfg.Region}, Clock: now, Log: log}, nil
}

// kept keeps the record in the hub's table.
type kept struct{ *dynamo.Store }

// largest is the most bytes of the record as it is stored: an item of the table ends at 400 KB.
const largest = 300 << 10

// smaller is how often a record is made smaller at most.
const smaller = 200

// Load implements hub.Store.
func (k kept) Load(ctx context.Context) (hub.Record, error) {
	version, body, err := k.Hub(ctx)
	if err != nil || version == 0 {
		return hub.Record{}, err
	}
	r, err := unpack(body)
	if err != nil {
		return hub.Record{}, fmt.Errorf("what the hub has heard: what is stored does not decode: %v", err)
	}
	r.Version = version
	return r, nil
}

// Put implements hub.Store.
func (k kept) Put(ctx context.Context, r hub.Record) error {
	body, err := pack(r)
	for range smaller {
		if err != nil || len(body) <= largest {
			break
		}
		r = r.Smaller()
		body, err = pack(r)
	}
	if err != nil {
		return fmt.Errorf("what the hub has heard: %v", err)
	}
	return k.SetHub(ctx, r.Version, body)
}

// pack writes a record as it is stored: its JSON, zipped, in base64. Times and names repeat.
func pack(r hub.Record) (string, error) {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	if err := errors.Join(json.NewEncoder(zip).Encode(r), zip.Close()); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

func unpack(body string) (r hub.Record, err error) {
	zip, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(body)))
	if err != nil {
		return r, err
	}
	return r, json.NewDecoder(zip).Decode(&r)
}
