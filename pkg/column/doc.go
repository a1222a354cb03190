// Package column holds ClickHouse columns in the bytes of the Native format.
//
// A value is encoded once, when it is appended. Sending a column writes its bytes to the connection, and sending it
// a second time writes the same bytes. The package is pure: it does no I/O and knows no table.
//
// Files, in the order data meets them:
//
//	buffer.go           bytes that grow page by page, and the pool of pages
//	column.go           the interface of all columns
//	fixed.go            numbers, times, enums and UUIDs
//	string.go           strings
//	timed_string.go     tuples of a time and a string
//	nullable.go         columns with nulls
//	low_cardinality.go  columns with few distinct values
package column
