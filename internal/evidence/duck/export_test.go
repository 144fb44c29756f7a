package duck

// SetMaxCallers has callers forgotten after so many, until the test ends.
func SetMaxCallers(t interface{ Cleanup(func()) }, n int32) {
	before := maxCallers
	maxCallers = n
	t.Cleanup(func() { maxCallers = before })
}
