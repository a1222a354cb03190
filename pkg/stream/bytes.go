package stream

import "unsafe"

// bytesOf views a string as bytes. The Kafka client only reads what it is given to send, and the view
// keeps the string alive.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
