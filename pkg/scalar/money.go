package scalar

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// signs are the parts of a written number beside its digits. Each may occur once.
type signs struct {
	sign, symbol, code bool // a minus or plus, a currency symbol, an ISO code
	open, closed       bool // accounting parentheses, which mean minus
}

// prefix reads what comes before the digits.
func (n *Number) prefix(text []byte, s *signs) (rest []byte, ok bool) {
	for len(text) > 0 && text[0]-'0' > 9 && text[0] != '.' {
		r, size := utf8.DecodeRune(text)
		switch {
		case unicode.IsSpace(r):
		case (r == '-' || r == '+' || r == '−') && !s.sign && !s.open:
			s.sign, n.negative = true, r != '+'
		case r == '(' && !s.sign && !s.open:
			s.open, n.negative = true, true
		default:
			if size = s.currency(text); size == 0 {
				return nil, false
			}
		}
		text = text[size:]
	}
	return text, true
}

// suffix reads what comes after the digits, which is the end of the number.
func (s *signs) suffix(text []byte) (ok bool) {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case unicode.IsSpace(r):
		case r == ')' && s.open && !s.closed:
			s.closed = true
		default:
			if size = s.currency(text); size == 0 {
				return false
			}
		}
		text = text[size:]
	}
	return s.open == s.closed
}

// currency is the length of the currency symbol or ISO code at the start of text; 0 if there is none, or one more than
// a number may have.
func (s *signs) currency(text []byte) int {
	letters := 0
	for letters < len(text) && letters < 3 && isASCIILetter(text[letters]) {
		letters++
	}
	if r, size := utf8.DecodeRune(text[letters:]); unicode.Is(unicode.Sc, r) && !s.symbol { // $, or R$ and US$
		s.symbol = true
		return letters + size
	}
	word := leadingWord(text)
	switch {
	case isCurrencyCode(word) && !s.code:
		s.code = true
		return len(word)
	case isCurrencyWord(word) && !s.symbol:
		s.symbol = true
		if bytes.HasPrefix(text[len(word):], []byte(".")) {
			return len(word) + 1
		}
		return len(word)
	}
	return 0
}

func isASCIILetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// leadingWord is the letters at the start of text.
func leadingWord(text []byte) []byte {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if !unicode.IsLetter(r) {
			return text[:i]
		}
		i += size
	}
	return text
}

// isCurrencyCode reports whether a word is a code of ISO 4217, in upper or lower case.
func isCurrencyCode(word []byte) bool {
	if len(word) != 3 || !isASCIILetter(word[0]) || !isASCIILetter(word[1]) || !isASCIILetter(word[2]) {
		return false
	}
	if lower := word[0] & 0x20; word[1]&0x20 != lower || word[2]&0x20 != lower {
		return false
	}
	code := [4]byte{' ', word[0] &^ 0x20, word[1] &^ 0x20, word[2] &^ 0x20}
	return strings.Contains(currencyCodes, string(code[:]))
}

// currencyCodes are the codes of ISO 4217, each after a space.
const currencyCodes = " AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD" +
	" CAD CDF CHF CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ" +
	" GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD" +
	" LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR" +
	" PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP" +
	" TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG ZWL"

// isCurrencyWord reports whether a word is a currency symbol that is made of letters.
func isCurrencyWord(word []byte) bool {
	switch string(word) {
	case "kr", "Kr", "zł", "Kč", "Ft", "Fr", "Rs", "RM", "Rp", "лв", "дин":
		return true
	}
	return false
}
