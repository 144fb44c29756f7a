package incident_test

import (
	"testing"

	"nightlatch/internal/incident"
	"nightlatch/internal/incident/storetest"
)

func TestMemoryKeepsAStoresPromises(t *testing.T) {
	storetest.Suite(t, func(*testing.T) incident.Store { return &incident.Memory{} })
}
