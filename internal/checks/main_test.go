package checks

import (
	"testing"

	"nightlatch/internal/awstest"
)

func TestMain(m *testing.M) { awstest.Beside(m) }
