package s3bucket

import (
	"flag"
	"os"
	"testing"
)

// Those tests that run beside each other mostly wait, for the SDK to try again: they need no processor each.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
