package awstest

import (
	"flag"
	"testing"
)

// Beside runs a package's tests, those that are parallel sixteen at a time: they mostly wait, for the SDK or an adapter to try again, and need
// no processor each.
func Beside(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	m.Run() // the testing package exits with what it returned, when TestMain returns
}
