package settings

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// WatchedFile is what the deployment calls the list of the watched buckets, which lies beside a function's code: hundreds of names do not fit a
// function's environment. It holds the properties of the enroller's resource.
const WatchedFile = "watched.json"

// ReadWatched reads the names of the watched buckets from a directory, EveryBucket among them where all others are watched.
func ReadWatched(dir string) ([]string, error) {
	var watched struct{ Buckets []string }
	text, err := os.ReadFile(filepath.Join(dir, WatchedFile))
	if err == nil {
		err = json.Unmarshal(text, &watched)
	}
	if err != nil {
		return nil, fmt.Errorf("reading which buckets are watched: %w", err)
	}
	return watched.Buckets, nil
}

// Named are the watched buckets that are named: what is done on a bucket is done on these.
func Named(watched []string) []string {
	return slices.DeleteFunc(append([]string{}, watched...), func(name string) bool { return name == EveryBucket })
}
