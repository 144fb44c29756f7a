package settings

import (
	"slices"

	"nightlatch/internal/lazyregexp"
)

// Keeper is what the environment of the function says that keeps case folders: of the responder's settings those that say what is asked, and where
// incidents are.
type Keeper struct{ Responder }

// keepers are the responder's settings that it reads.
var keepers = []string{"EVIDENCE", "EVENT_DATA_STORE", "TRAIL_LOCATION", "MANAGEMENT_LOCATION", "ACCOUNTS", "SCAN_BUDGET", "TABLE", "LOG_LEVEL"}

func (s *Keeper) fields() []field {
	return slices.DeleteFunc(s.Responder.fields(), func(f field) bool { return !slices.Contains(keepers, f.name) })
}

// ParseKeeper reads the environment, as Parse does the responder's.
func ParseKeeper(environ []string) (Keeper, error) {
	s := Keeper{Responder{ScanBudget: DefaultScanBudget}}
	w := read(s.fields(), environ)
	s.engines(&w)
	if CaseBucket(s.Table) == "" && !w.any("TABLE") {
		w.say("%sTABLE is %q, and should be the name of a stack's table, which ends in the stack's id", prefix, s.Table)
	}
	if err := w.err(); err != nil {
		return Keeper{}, err
	}
	return s, nil
}

// Environ writes the settings as the environment that ParseKeeper reads.
func (s Keeper) Environ() map[string]string { return write(s.fields()) }

// CaseBucketPrefix begins the name of a stack's bucket of case folders. Behind it stands the stack's id, as in the name of its table.
const CaseBucketPrefix = "nightlatch-cases-"

var stackTable = lazyregexp.New(`^[A-Za-z][A-Za-z0-9-]*?-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

// CaseBucket is the bucket of case folders of the stack that has a table; "" where no stack made it. Nobody has to be told it.
func CaseBucket(table string) string {
	if m := stackTable.FindStringSubmatch(table); m != nil {
		return CaseBucketPrefix + m[1]
	}
	return ""
}
