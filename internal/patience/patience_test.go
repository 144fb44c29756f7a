package patience

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Wait(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := Wait(t.Context(), time.Nanosecond); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestPausesDoubleUpToTheirMost(t *testing.T) {
	p := Pause{time.Second, 3 * time.Second}
	for _, want := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second} {
		if got := p.Next(); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestLingerOutlivesItsContextByTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		longer, done := Linger(ctx, 2*time.Second)
		defer done()
		cancel()
		time.Sleep(time.Second)
		synctest.Wait()
		if longer.Err() != nil {
			t.Error("it ended with its context")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if longer.Err() == nil {
			t.Error("it never ends")
		}
	})
}

var errLater = errors.New("later")

func TestCallWaitsOutWhatPassesAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Caller{Wait, Pause{time.Second, time.Minute}, func(err error) (string, bool) { return "come back", err == errLater }}
		begin, calls := time.Now(), 0
		got, err := Call(t.Context(), c, func() (int, error) {
			if calls++; calls < 4 {
				return 0, errLater
			}
			return calls, nil
		})
		if got != 4 || err != nil || time.Since(begin) != 7*time.Second {
			t.Errorf("got %d, %v after %v", got, err, time.Since(begin))
		}

		other := errors.New("no")
		if _, err := Call(t.Context(), c, func() (int, error) { return 0, other }); err != other {
			t.Errorf("got %v", err)
		}

		short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err = Call(short, c, func() (int, error) { return 0, errLater })
		refused := new(Refused)
		if !errors.As(err, &refused) || !errors.Is(err, context.DeadlineExceeded) || refused.Said != "come back" {
			t.Errorf("got %v", err)
		}
	})
}
