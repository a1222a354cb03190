package scalar

import (
	"bytes"
	"math/big"
	"math/bits"
	"strconv"
	"unicode"
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

// ReadNumber reads a number as JSON or people write it: "49.9", "-$1,234.50", "€ 12", "1e3". One sign and
// one currency symbol may come first, in any order. A comma, an apostrophe or a space may part groups of
// three digits; a decimal comma could be mistaken for that and is unreadable.
func ReadNumber(text []byte) (n Number, ok bool) {
	text, ok = n.prefix(bytes.TrimSpace(text))
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
	return n, n.power(rest)
}

// prefix reads the sign and the symbol before the digits.
func (n *Number) prefix(text []byte) (rest []byte, ok bool) {
	signed, marked := false, false
	for len(text) > 0 && text[0]-'0' > 9 && text[0] != '.' {
		r, size := utf8.DecodeRune(text)
		switch {
		case (r == '-' || r == '+') && !signed:
			signed, n.negative = true, r == '-'
		case unicode.Is(unicode.Sc, r) && !marked:
			marked = true
		case !unicode.IsSpace(r):
			return nil, false
		}
		text = text[size:]
	}
	return text, true
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
	for separator != 0 {
		group := rest[size:]
		if rest = n.run(group); len(group)-len(rest) != 3 {
			return nil, false
		}
		next, nextSize := separatorOf(rest)
		if next != 0 && next != separator {
			return nil, false
		}
		separator, size = next, nextSize
	}
	return rest, true
}

// separatorOf is the thousands separator at the start of text, 0 if there is none.
func separatorOf(text []byte) (rune, int) {
	if len(text) == 0 {
		return 0, 0
	}
	switch r, size := utf8.DecodeRune(text); r {
	case ',', '\'', ' ', '\u00a0', '\u2009', '\u202f', '\u2019':
		return r, size
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

// power reads the exponent, which is the last part of a number.
func (n *Number) power(text []byte) (ok bool) {
	if len(text) == 0 {
		return true
	}
	if text[0]|0x20 != 'e' {
		return false
	}
	text = text[1:]
	negative := len(text) > 0 && text[0] == '-'
	if negative || len(text) > 0 && text[0] == '+' {
		text = text[1:]
	}
	exponent := 0
	for _, c := range text {
		if c -= '0'; c > 9 {
			return false
		}
		exponent = min(exponent*10+int(c), maxExponent)
	}
	if negative {
		exponent = -exponent
	}
	n.exponent += exponent
	return len(text) > 0
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
