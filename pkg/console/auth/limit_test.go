package auth

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// address is one of 16 million.
func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

func TestAnAddressMayFailSoOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter()
		for range rateOfEach.burst {
			require.Zero(t, l.take(address(1)))
		}
		require.Equal(t, rateOfEach.every, l.take(address(1)))
		require.Zero(t, l.take(address(2)), "another is another")
		time.Sleep(rateOfEach.every - 1)
		require.Equal(t, time.Duration(1), l.take(address(1)))
		time.Sleep(time.Nanosecond)
		require.Zero(t, l.take(address(1)))
		require.Equal(t, rateOfEach.every, l.take(address(1)))
		l.give(address(1))
		require.Zero(t, l.take(address(1)), "who gives back may take again")
		time.Sleep(time.Hour)
		for range rateOfEach.burst {
			require.Zero(t, l.take(address(1)))
		}
		require.Positive(t, l.take(address(1)), "an hour saves up no more than the burst")
	})
}

func TestAllTogetherMayFailSoOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter()
		for i := range rateOfAll.burst {
			require.Zero(t, l.take(address(i)))
		}
		require.Equal(t, rateOfAll.every, l.take(address(100)))
		require.NotContains(t, l.each, address(100), "who has to wait for others is not remembered")
		time.Sleep(rateOfAll.every)
		require.Zero(t, l.take(address(100)))
		require.Equal(t, rateOfAll.every, l.take(address(101)))
		l.give(address(100))
		require.Zero(t, l.take(address(101)))
	})
}

// One who hammers takes nothing from the others beyond his own burst.
func TestOneWhoHammersKeepsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter()
		for range 1000 {
			l.take(address(1))
		}
		for i := range rateOfAll.burst - rateOfEach.burst {
			require.Zero(t, l.take(address(2+i)))
		}
		require.Positive(t, l.take(address(999)))
	})
}

func TestTheAddressesRememberedAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter()
		most, let := 0, 0
		for i := range 5000 {
			if l.take(address(i)) == 0 {
				let++
			}
			most = max(most, len(l.each))
			time.Sleep(400 * time.Millisecond)
		}
		require.Greater(t, let, maxAddresses*2, "far more have tried than are remembered")
		require.LessOrEqual(t, most, maxAddresses)
	})
}
