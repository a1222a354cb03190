package scalar

import "math/bits"

// DecimalScale is the number of digits behind the point that a Decimal keeps.
const DecimalScale = 18

// Decimal is a number times 10^DecimalScale as a 128-bit two's complement integer, the layout of
// ClickHouse's Decimal(38, 18).
type Decimal struct {
	Low  uint64
	High int64
}

// decimalDigits is how many digits a Decimal has in all.
const decimalDigits = 38

// powers of ten that fit 64 bits.
var powers = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// limit is 10^38, the least magnitude that a Decimal does not hold.
var limit = func() wide {
	high, low := bits.Mul64(powers[19], powers[19])
	return wide{high, low}
}()

// wide is an unsigned 128-bit integer.
type wide struct{ high, low uint64 }

func (w wide) less(o wide) bool {
	return w.high < o.high || w.high == o.high && w.low < o.low
}

// times is w·f, and whether it fits.
func (w wide) times(f uint64) (wide, bool) {
	over, high := bits.Mul64(w.high, f)
	carry, low := bits.Mul64(w.low, f)
	high, c := bits.Add64(high, carry, 0)
	return wide{high, low}, over|c == 0
}

// by divides w by d.
func (w wide) by(d uint64) (quotient wide, remainder uint64) {
	quotient.high, remainder = w.high/d, w.high%d
	quotient.low, remainder = bits.Div64(remainder, w.low, d)
	return quotient, remainder
}

// scaled is ±mantissa·10^exponent as a Decimal, rounded half to even behind the last digit it keeps;
// false if it has too many digits before the point.
func scaled(negative bool, mantissa wide, exponent int) (Decimal, bool) {
	if mantissa == (wide{}) {
		return Decimal{}, true
	}
	shift, fits := exponent+DecimalScale, true
	switch {
	case shift > decimalDigits:
		return Decimal{}, false
	case shift < 0:
		mantissa = mantissa.shortened(-shift)
	default:
		for ; shift > 0 && fits; shift -= min(shift, 19) {
			mantissa, fits = mantissa.times(powers[min(shift, 19)])
		}
	}
	if !fits || !mantissa.less(limit) {
		return Decimal{}, false
	}
	return signed(negative, mantissa), true
}

// shortened drops n decimal digits and rounds half to even.
func (w wide) shortened(n int) wide {
	if n > decimalDigits { // 2^128 is less than half of 10^39
		return wide{}
	}
	w, below := w.by(powers[max(n-19, 0)])
	last := powers[min(n, 19)]
	w, rest := w.by(last)
	half := last / 2
	if rest > half || rest == half && (below > 0 || w.low&1 == 1) {
		var carry uint64
		w.low, carry = bits.Add64(w.low, 1, 0)
		w.high += carry
	}
	return w
}

func signed(negative bool, w wide) Decimal {
	if !negative {
		return Decimal{Low: w.low, High: int64(w.high)}
	}
	low, borrow := bits.Sub64(0, w.low, 0)
	high, _ := bits.Sub64(0, w.high, borrow)
	return Decimal{Low: low, High: int64(high)}
}

// magnitude is d without its sign, times 10^DecimalScale.
func (d Decimal) magnitude() wide {
	w := wide{uint64(d.High), d.Low}
	if d.High < 0 {
		d = signed(true, w)
		w = wide{uint64(d.High), d.Low}
	}
	return w
}

// floor is the greatest whole number of 10^-digits that d is not below, where it fits 63 bits.
func (d Decimal) floor(digits int) (int64, bool) {
	w, rest := d.magnitude().by(powers[DecimalScale-digits])
	if w.high != 0 || w.low >= 1<<62 {
		return 0, false
	}
	n := int64(w.low)
	if d.High < 0 {
		n = -n
		if rest > 0 {
			n--
		}
	}
	return n, true
}

// Append appends the shortest text of d: no exponent, no zeros that say nothing.
func (d Decimal) Append(dst []byte) []byte {
	var digits [decimalDigits]byte
	upper, below := d.magnitude().by(powers[decimalDigits/2])
	write(digits[:decimalDigits/2], upper.low)
	write(digits[decimalDigits/2:], below)
	first, last := 0, len(digits)
	point := decimalDigits - DecimalScale
	for first < point-1 && digits[first] == '0' {
		first++
	}
	for last > point && digits[last-1] == '0' {
		last--
	}
	if d.High < 0 {
		dst = append(dst, '-')
	}
	dst = append(dst, digits[first:point]...)
	if last > point {
		dst = append(append(dst, '.'), digits[point:last]...)
	}
	return dst
}

// String is the text that Append appends.
func (d Decimal) String() string { return string(d.Append(nil)) }

// write fills dst with the digits of n, zeros before it.
func write(dst []byte, n uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = '0' + byte(n%10)
		n /= 10
	}
}
