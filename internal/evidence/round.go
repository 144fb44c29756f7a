package evidence

// Answered is what came back for one question of a query round, if it was asked.
type Answered struct {
	Answer
	// Tally is of Bytes; it is not set beside an Err.
	Tally Tally
	Err   error
	Asked bool
	// Of are the buckets that the question was about, where it was about those of several incidents.
	Of []string
	// Behind: the engine that is asked first answered too, and shows less.
	Behind bool
}

// Round is what one query round has found for one incident: who moved the bytes, what is usual, and who else works with the credentials.
type Round struct{ Bytes, Usage, Callers Answered }
