package auth

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// address returns the i-th of 16 million addresses.
func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// requireWait allows for the rounding of token counts.
func requireWait(t *testing.T, want, wait time.Duration) {
	t.Helper()
	require.InDelta(t, float64(want), float64(wait), float64(10*time.Microsecond))
}

func TestLimiter_OneAddress_IsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter()
		for range addressBurst {
			require.Zero(t, l.take(address(1)))
		}
		requireWait(t, addressInterval, l.take(address(1)))
		require.Zero(t, l.take(address(2)), "addresses have separate limits")
		time.Sleep(addressInterval - time.Millisecond)
		requireWait(t, time.Millisecond, l.take(address(1)))
		time.Sleep(time.Millisecond + time.Microsecond)
		require.Zero(t, l.take(address(1)))
		requireWait(t, addressInterval, l.take(address(1)))
		l.giveBack(address(1))
		require.Zero(t, l.take(address(1)), "a returned token can be taken")
		time.Sleep(time.Hour)
		for range addressBurst {
			require.Zero(t, l.take(address(1)))
		}
		require.Positive(t, l.take(address(1)), "tokens do not exceed the burst")
	})
}

func TestLimiter_AllAddresses_AreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter()
		for i := range totalBurst {
			require.Zero(t, l.take(address(i)))
		}
		requireWait(t, totalInterval, l.take(address(100)))
		require.NotContains(t, l.byAddress, address(100), "a rejected address is not remembered")
		time.Sleep(totalInterval + time.Microsecond)
		require.Zero(t, l.take(address(100)))
		requireWait(t, totalInterval, l.take(address(101)))
		l.giveBack(address(100))
		require.Zero(t, l.take(address(101)))
	})
}

// An address beyond its limit takes no further tokens from the total.
func TestLimiter_RejectedAddress_TakesNoTotalToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter()
		for range 1000 {
			l.take(address(1))
		}
		for i := range totalBurst - addressBurst {
			require.Zero(t, l.take(address(2+i)))
		}
		require.Positive(t, l.take(address(999)))
	})
}

func TestLimiter_RememberedAddresses_AreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter()
		most, let := 0, 0
		for i := range 5000 {
			if l.take(address(i)) == 0 {
				let++
			}
			most = max(most, len(l.byAddress))
			time.Sleep(400 * time.Millisecond)
		}
		require.Greater(t, let, maxAddresses*2, "the control: more addresses try than are remembered")
		require.LessOrEqual(t, most, maxAddresses)
	})
}
