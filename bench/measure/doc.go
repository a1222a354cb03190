// Package measure has what every comparison needs: programs that are run and watched, contenders that take turns, and
// a report that says what was measured, on what, and how far it spread.
//
// Files, in the order in which a comparison meets them:
//
//	program.go  a program with everything it starts
//	usage.go    the processor time and the memory of those
//	turns.go    contenders in turns, A B A B
//	spread.go   median, least and most of what the rounds gave
//	machine.go  what it was measured on
//	section.go  one comparison's part of the report
//	chart.go    a plot of it
//	growth.go   a plot of what grows with what
//	report.go   all parts in one file
package measure
