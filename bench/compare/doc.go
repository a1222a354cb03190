// Command compare measures Millrace beside other programs and writes a report: see bench/README.md.
//
// Files, in the order in which a run uses them:
//
//	main.go             the commands and their common flags
//	testbed.go          folder, broker, ClickHouse and services of a comparison
//	quantities.go       the measured quantities
//	edge.go             the edge, the bare limit and two HTTP-to-Kafka programs
//	edgeround.go        the requests to them, and one round
//	edgereport.go       its section of the report
//	loader.go           the loader, the bare limit, and other programs that load Kafka's topic into ClickHouse
//	loaderround.go      one round of one of them
//	loaderreport.go     its section of the report
//	freshness.go        the whole pipeline: the highest rate at which outcomes are fresh
//	probe.go            measures how fresh outcomes are
//	freshnessreport.go  its section of the report
//	growth.go           how cost grows: the axes and their points
//	growthloader.go     a loader at a point
//	growthprefill.go    the rows that ClickHouse has at the start
//	growthprogress.go   the measured part of a loader's backlog
//	growthedge.go       an edge at a point
//	growthreport.go     its section of the report
//	skew.go             one product with nearly all of the traffic
//	skewreport.go       its section of the report
//	console.go          the edge while browsers show the console
//	load.go             requests to any URL, in a closed or open loop
//	report.go           all sections in one file
//	partitions.go       the load of the busiest partition, computed
package main
