package duck

// SetMaxCallers has callers forgotten, and joined in parts, after so many, until the test ends.
func SetMaxCallers(t interface{ Cleanup(func()) }, n int) {
	most, few := maxCallers, fewCallers
	maxCallers, fewCallers = n, int32(n)
	t.Cleanup(func() { maxCallers, fewCallers = most, few })
}
