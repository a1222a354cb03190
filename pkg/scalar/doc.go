// Package scalar reads single values as people and programs write them: numbers, times, e-mail addresses. It
// is pure, and allocates nothing but for numbers of more digits than any shop has.
//
// Files:
//
//	number.go   the digits of numbers: "49.9", "1,234.50", "1e3"
//	money.go    what is beside the digits: signs, parentheses, currencies
//	decimal.go  exact 128-bit decimals
//	time.go     times: which of them are readable, epochs
//	civil.go    dates and times in ISO 8601, and offsets
//	named.go    dates with names of weekdays and months
//	address.go  what looks like an e-mail address
package scalar
