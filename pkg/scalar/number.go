package scalar

import (
	"bytes"
	"math/big"
	"math/bits"
	"strconv"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

const (
	maxNumberBytes = 256         // digits, separators and exponent; a longer number is unreadable
	maxExponent    = 100_000_000 // beyond it nothing changes any more
	fastDigits     = 18          // as many always fit the mantissa
)

// Number is ±mantissa·10^exponent. If it has more digits than the mantissa can take, all of them are
// in digits instead.
type Number struct {
	negative bool
	mantissa uint64
	exponent int
	count    int    // digits from the first that is no zero
	digits   []byte // only if count > fastDigits: the text from the first digit to the last, with separators and point
}

// isPlainNumber tells whether a text has nothing in it that a JSON number could not have.
func isPlainNumber(text []byte) bool {
	for _, c := range text {
		if c-'0' > 9 && c != '.' && c != '-' && c != '+' && c|0x20 != 'e' {
			return false
		}
	}
	return len(text) > 0
}

// ReadFloat reads a number as JSON writes it, in quotes or not.
func ReadFloat(text []byte) (float64, bool) {
	text = bytes.TrimSpace(text)
	if !isPlainNumber(text) || len(text) > maxNumberBytes {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil
}

// ReadNumber reads a number as JSON or people write it: "49.9", "-$1,234.50", "€ 12", "12 EUR", "(5.00)", "1e3".
//
// Before and after the digits there may be one currency symbol and one ISO code. A sign may come before; parentheses
// mean minus. A comma, an apostrophe or a space may separate groups of three digits, or groups as in India (1,00,000).
// A decimal comma could be mistaken for a separator and is unreadable.
func ReadNumber(text []byte) (n Number, ok bool) {
	var s signs
	text, ok = n.prefix(bytes.TrimSpace(text), &s)
	if !ok || len(text) > maxNumberBytes {
		return n, false
	}
	rest, ok := n.whole(text)
	if !ok {
		return n, false
	}
	wholeDigits := len(text) > len(rest)
	if len(rest) > 0 && rest[0] == '.' {
		fraction := rest[1:]
		rest = n.run(fraction)
		n.exponent = len(rest) - len(fraction)
	}
	if !wholeDigits && n.exponent == 0 {
		return n, false
	}
	if n.count > fastDigits {
		n.digits = text[:len(text)-len(rest)]
	}
	return n, s.suffix(n.power(rest))
}

// whole reads the digits before the point.
func (n *Number) whole(text []byte) (rest []byte, ok bool) {
	rest = n.run(text)
	first := len(text) - len(rest)
	separator, size := separatorOf(rest)
	if separator == 0 {
		return rest, true
	}
	if first == 0 || first > 3 || text[0] == '0' {
		return nil, false
	}
	pairs := first < 3 && separator == ',' // groups of two may follow, as in India; the last group has three digits
	for groups := 0; separator != 0; groups++ {
		group := rest[size:]
		rest = n.run(group)
		digits := len(group) - len(rest)
		next, nextSize := separatorOf(rest)
		if next != 0 && next != separator {
			return nil, false
		}
		switch {
		case digits == 2 && pairs && next != 0:
		case digits != 3 || pairs && groups > 0 && next != 0:
			return nil, false
		default:
			pairs = pairs && groups > 0
		}
		separator, size = next, nextSize
	}
	return rest, true
}

// separatorOf is the thousands separator at the start of text, 0 if there is none. A space is one only before a digit.
func separatorOf(text []byte) (rune, int) {
	if len(text) == 0 {
		return 0, 0
	}
	r, size := utf8.DecodeRune(text)
	switch r {
	case ',', '\'', '\u2019':
		return r, size
	case ' ', '\u00a0', '\u2009', '\u202f':
		if len(text) > size && text[size]-'0' <= 9 {
			return r, size
		}
	}
	return 0, 0
}

// run reads digits into the mantissa and returns what follows them.
func (n *Number) run(text []byte) (rest []byte) {
	for i, c := range text {
		if c -= '0'; c > 9 {
			return text[i:]
		}
		if n.count == 0 && c == 0 {
			continue
		}
		if n.count++; n.count <= fastDigits {
			n.mantissa = n.mantissa*10 + uint64(c)
		}
	}
	return nil
}

// power reads the exponent, if there is one, and returns what follows it.
func (n *Number) power(text []byte) (rest []byte) {
	if len(text) < 2 || text[0]|0x20 != 'e' {
		return text
	}
	digits := text[1:]
	negative := digits[0] == '-'
	if negative || digits[0] == '+' {
		digits = digits[1:]
	}
	exponent := 0
	rest = digits
	for len(rest) > 0 && rest[0]-'0' <= 9 {
		exponent = min(exponent*10+int(rest[0]-'0'), maxExponent)
		rest = rest[1:]
	}
	if len(rest) == len(digits) { // the e of EUR
		return text
	}
	if negative {
		exponent = -exponent
	}
	n.exponent += exponent
	return rest
}

// Sign is -1, 0 or 1.
func (n *Number) Sign() int {
	switch {
	case n.count == 0:
		return 0
	case n.negative:
		return -1
	}
	return 1
}

// Decimal is the number's value, rounded half to even behind the last digit that a Decimal keeps; false
// if it does not fit.
func (n *Number) Decimal() (Decimal, bool) {
	if n.digits == nil {
		return scaled(n.negative, wide{0, n.mantissa}, n.exponent)
	}
	return fromArbitrary(n.arbitrary())
}

// Product is n·o, rounded once.
func (n *Number) Product(o *Number) (Decimal, bool) {
	if n.digits == nil && o.digits == nil {
		high, low := bits.Mul64(n.mantissa, o.mantissa)
		return scaled(n.negative != o.negative, wide{high, low}, n.exponent+o.exponent)
	}
	return fromArbitrary(n.arbitrary().Mul(o.arbitrary()))
}

// arbitrary is the number with all its digits. It allocates: only numbers that no shop has come here.
func (n *Number) arbitrary() decimal.Decimal {
	mantissa := new(big.Int).SetUint64(n.mantissa)
	if n.digits != nil {
		var digits []byte
		for _, c := range n.digits {
			if c-'0' <= 9 {
				digits = append(digits, c)
			}
		}
		mantissa.SetString(string(digits), 10)
	}
	if n.negative {
		mantissa.Neg(mantissa)
	}
	return decimal.NewFromBigInt(mantissa, int32(n.exponent))
}

func fromArbitrary(d decimal.Decimal) (Decimal, bool) {
	// How far the first digit is before the point settles the extremes, so that the rounding below never
	// writes out an exponent.
	top := d.NumDigits() + int(d.Exponent())
	if d.IsZero() || top < -DecimalScale {
		return Decimal{}, true
	}
	if top > decimalDigits-DecimalScale {
		return Decimal{}, false
	}
	units := d.RoundBank(DecimalScale).Shift(DecimalScale).BigInt()
	negative := units.Sign() < 0
	low := new(big.Int).And(units.Abs(units), new(big.Int).SetUint64(1<<64-1)).Uint64()
	w := wide{units.Rsh(units, 64).Uint64(), low}
	return signed(negative, w), w.less(limit)
}
