package scalar

import (
	"math/big"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func read(text string) (string, bool) {
	n, ok := ReadNumber([]byte(text))
	if !ok {
		return "", false
	}
	d, ok := n.Decimal()
	return d.String(), ok
}

func TestReadNumber(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "00": "0", "007": "7", "49": "49", "49.0": "49", "49.90": "49.9", "-49.9": "-49.9", "+5": "5", ".5": "0.5", "-.5": "-0.5", "5.": "5",
		"1e3": "1000", "1E+3": "1000", "1.5e-3": "0.0015", "12e0": "12", "0e999999999999": "0", "0.0e5": "0", "5e-999999999999": "0",
		" \t$49.90\u00a0": "49.9", "$ 5": "5", "-$5": "-5", "$-5": "-5", "- $ 5": "-5", "€12": "12", "£1.50": "1.5", "¥1000": "1000", "₹1": "1", "₿0.00000001": "0.00000001", "¢5": "5",
		"1,234": "1234", "1,234.56": "1234.56", "-$12,345,678.90": "-12345678.9", "100,000": "100000", "1 234.5": "1234.5", "1\u00a0234": "1234", "1\u202f234": "1234", "1'234.50": "1234.5", "1\u2019234": "1234",
		"1,234e2": "123400",
		"−49.00":  "-49", "− $5": "-5", "(5.00)": "-5", "($5)": "-5", "$(5)": "-5", "( 5 )": "-5", "(5.00 USD)": "-5", "(5.00) USD": "-5", "USD (1,234.50)": "-1234.5",
		"R$ 50": "50", "US$5": "5", "CA$ 5.50": "5.5", "-US$5": "-5", "US$-5": "-5", "5 €": "5", "5€": "5", "5.€": "5", "-5 €": "-5",
		"USD 12.50": "12.5", "12.50 usd": "12.5", "12.50USD": "12.5", "EUR5": "5", "5EUR": "5", "1e3EUR": "1000", "1e3 EUR": "1000", "$5 USD": "5", "USD $5": "5", "5 $ USD": "5",
		"kr 50": "50", "50 kr": "50", "50 kr.": "50", "Rs. 500": "500", "Rs.500": "500", "50 zł": "50", "1 234 Kč": "1234", "1\u00a0234\u00a0€": "1234",
		"1,00,000.00": "100000", "12,34,567": "1234567", "1,23,456": "123456", "₹1,00,00,000": "10000000", "-1,00,000": "-100000",
		"99999999999999999999":                      "99999999999999999999",
		"99999999999999999999.99999999999999999949": "99999999999999999999.999999999999999999",
		"-99999999999999999999.999999999999999999":  "-99999999999999999999.999999999999999999",
		"0.0000000000000000005":                     "0", "0.0000000000000000015": "0.000000000000000002", "0.0000000000000000025": "0.000000000000000002", "0.00000000000000000050000000000000000000000000000001": "0.000000000000000001",
		"123456789012345678.5":        "123456789012345678.5",
		"1,234,567,890,123,456,789.5": "1234567890123456789.5",
	} {
		got, ok := read(text)
		require.Equal(t, want != "", ok, text)
		require.Equal(t, want, got, text)
	}
}

func TestReadNumberUnreadable(t *testing.T) {
	for _, text := range []string{
		"", " ", "-", "+", "$", "-$", ".", "-.", "e", "e5", "1e", "1e+", "1e5.5", "1e5e5", "five", "5 apples", "NaN", "Infinity", "0x1F", "1_000",
		"--5", "+-5", "-$-5", "$$5", "$€5", "$5$", "$5 €", "USD 5 EUR", "USD USD 5", "Usd 5", "5 uSD", "5 pcs", "5 min", "N/A", "US5", "USDX 5", "5 USDX", "XUSD$ 5", "5-", "5%", "5 e", "5e", "5 e3",
		"(5", "5)", "()", "(-5)", "-(5)", "((5))", "(5))", "(5)(5)", ")5(", "−−5", "-−5", "€", "USD", "(USD)", "5 USD 5", "5 $ 5", "1.2.3", "1..2",
		"49,90", "0,123", "00,123", "1,23", "1,2345", "1234,567", ",123", "1,,234", "1,234,56", "1,234 567", "1.234,56", "1.234.567", "1, 234", "1,23,45", "1,23,456,789", "123,45,678", "1,23,4567", "1,234,56,789", "1 23 456", "1,234,56", "1,23", "01,00,000", "1 2", "1  234", "1,234,",
		"1.000,000", "1,234'567",
		strings.Repeat("1", maxNumberBytes+1),
	} {
		_, ok := ReadNumber([]byte(text))
		require.False(t, ok, text)
	}
}

func TestNumberThatDoesNotFit(t *testing.T) {
	for _, text := range []string{
		"100000000000000000000", "1e20", "1e18446744073709551617", "-1e20", "1e999999999999", "99999999999999999999.9999999999999999995", "99999999999999999999.99999999999999999951", strings.Repeat("9", maxNumberBytes),
		"12345678901234567890123e100000000",
	} {
		n, ok := ReadNumber([]byte(text))
		require.True(t, ok, text)
		_, ok = n.Decimal()
		require.False(t, ok, text)
	}
	tiny, ok := read("12345678901234567890123e-100000000")
	require.True(t, ok)
	require.Equal(t, "0", tiny)
}

// exact rounds a number half to even behind 18 digits by other means than the package does.
func exact(x *big.Rat) (*big.Int, bool) {
	scaled := new(big.Rat).Mul(x, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil)))
	units, rest := new(big.Int).DivMod(scaled.Num(), scaled.Denom(), new(big.Int))
	switch rest.Lsh(rest, 1).Cmp(scaled.Denom()) {
	case 1:
		units.Add(units, big.NewInt(1))
	case 0:
		units.Add(units, new(big.Int).SetUint64(uint64(units.Bit(0))))
	}
	bound := new(big.Int).Exp(big.NewInt(10), big.NewInt(38), nil)
	return units, units.CmpAbs(bound) < 0
}

func (d Decimal) big() *big.Int {
	n := new(big.Int).Lsh(big.NewInt(d.High), 64)
	return n.Add(n, new(big.Int).SetUint64(d.Low))
}

var anyNumber = rapid.OneOf(
	rapid.StringMatching(`-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,2})?`),
	rapid.StringMatching(`-?[0-9]{1,24}(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,2})?`),
	rapid.StringMatching(`-?[0-9]{0,22}\.[0-9]{17}[05]{1,3}(e[-+]?[0-9])?`),
	rapid.StringMatching(`-?9{1,20}\.9{16,20}[45]?`),
)

func TestDecimalAgreesWithArbitraryPrecision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := anyNumber.Draw(t, "number")
		want, wantOK := new(big.Rat).SetString(text)
		require.True(t, wantOK)
		units, fits := exact(want)

		n, ok := ReadNumber([]byte(text))
		require.True(t, ok, text)
		d, ok := n.Decimal()
		require.Equal(t, fits, ok, text)
		if ok {
			require.Equal(t, units.String(), d.big().String(), text)
			require.Equal(t, want.Sign(), n.Sign())
			require.Equal(t, decimal.NewFromBigInt(units, -DecimalScale).String(), d.String())
		}
	})
}

func TestScaledRoundsTheLongestMantissa(t *testing.T) {
	seven, _ := wide{0, 7}.times(powers[18])
	seven, _ = seven.times(powers[19])
	for exponent, want := range map[int]string{-54: "0.00000000000000007", -55: "0.000000000000000007", -56: "0.000000000000000001", -57: "0", -200: "0"} {
		d, ok := scaled(false, seven, exponent)
		require.True(t, ok)
		require.Equal(t, want, d.String(), exponent)
	}
}

func TestProductAgreesWithArbitraryPrecision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		price, quantity := anyNumber.Draw(t, "price"), anyNumber.Draw(t, "quantity")
		a, _ := new(big.Rat).SetString(price)
		b, _ := new(big.Rat).SetString(quantity)
		units, fits := exact(a.Mul(a, b))

		n, ok := ReadNumber([]byte(price))
		require.True(t, ok)
		o, ok := ReadNumber([]byte(quantity))
		require.True(t, ok)
		d, ok := n.Product(&o)
		require.Equal(t, fits, ok)
		if ok {
			require.Equal(t, units.String(), d.big().String())
		}
	})
}

// TestNumberReadsWhatPeopleWrite dresses a number up and expects it unchanged.
func TestNumberReadsWhatPeopleWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.StringMatching(`[1-9][0-9]{0,11}`).Draw(t, "whole")
		fraction := rapid.StringMatching(`(\.[0-9]{1,4})?`).Draw(t, "fraction")
		sign := rapid.SampledFrom([]string{"", "-", "+"}).Draw(t, "sign")
		want, ok := read(sign + whole + fraction)
		require.True(t, ok)

		separator := rapid.SampledFrom([]string{"", ",", "'", " ", "\u00a0", "\u2019", "\u2009", "\u202f"}).Draw(t, "separator")
		grouped := whole
		for i := len(whole) - 3; i > 0; i -= 3 {
			grouped = grouped[:i] + separator + grouped[i:]
		}
		space := rapid.SampledFrom([]string{"", " ", "\u00a0", "\t"})
		symbol := rapid.SampledFrom([]string{"", "$", "€", "£", "¥", "₩", "₺", "R$", "US$", "EUR", "usd", "kr"}).Draw(t, "symbol")
		front := []string{sign, symbol}
		if rapid.Bool().Draw(t, "symbol first") {
			front = []string{symbol, sign}
		}
		for i, part := range front {
			if part == "-" && rapid.Bool().Draw(t, "U+2212") {
				front[i] = "−"
			}
		}
		var behind string
		if rapid.Bool().Draw(t, "symbol behind") {
			front = []string{"", front[0] + front[1]}
			front[1] = strings.TrimSuffix(strings.TrimPrefix(front[1], symbol), symbol)
			behind = space.Draw(t, "4") + symbol
		}
		if sign == "-" && rapid.Bool().Draw(t, "accounting") {
			front = []string{"(", strings.Trim(front[0]+front[1], "-−")}
			behind += ")"
		}
		text := space.Draw(t, "0") + front[0] + space.Draw(t, "1") + front[1] + space.Draw(t, "2") + grouped + fraction + behind + space.Draw(t, "3")
		got, ok := read(text)
		require.True(t, ok, "%q", text)
		require.Equal(t, want, got, "%q", text)
	})
}
