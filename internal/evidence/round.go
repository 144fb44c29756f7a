package evidence

// Answered is what came back for one question of a query round, if it was asked.
type Answered struct {
	Answer
	// Tally is of Bytes; it is not set beside an Err.
	Tally Tally
	// Hits are of Bystanders, those of one case.
	Hits  []Hit
	Err   error
	Asked bool
	// Of are the buckets that the question was about, where it was about those of several incidents.
	Of []string
	// Behind: the engine that is asked first answered too, and shows less.
	Behind bool
}

// Round is what one query round has found for one incident: who moved the bytes, what is usual, who else works with the credentials, and whom
// steps would hit beside the thief.
type Round struct{ Bytes, Usage, Callers, Bystanders Answered }
