// Command compare measures Millrace beside others and writes a report: see bench/README.md.
//
// Files, in the order in which a run meets them:
//
//	main.go       the commands, and what they have in common
//	edge.go       the edge, the bare limit and two HTTP-to-Kafka routes
//	shapes.go     what they are sent, and what is measured of it
//	edgereport.go what came out of it
//	loader.go     the loader, the bare limit, and others that take Kafka's topic into ClickHouse
//	loaderturn.go what is measured of each
//	loaderreport.go what came out of it
//	freshness.go  everything at once: the highest rate at which events are fresh
//	probe.go      how fresh they are
//	freshreport.go what came out of it
//	growth.go     how cost grows: the axes and their points
//	growthpoint.go a loader at a point
//	growthprefill.go what is there before it
//	growthgauge.go how far it has come
//	growthedge.go an edge at a point
//	growthreport.go what came out of it, and why it is not flat where it is not
//	skew.go       one product with nearly all of the traffic
//	skewreport.go what came out of it
//	load.go       requests to any URL, as fast as they are answered or at a rate
//	report.go     all that was measured in one file
package main
