package embedded

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// childEnv marks a process that is to become the engine; its value is the library's path.
const childEnv = "MILLRACE_EMBEDDED_ENGINE"

// RunChild turns this process into the ClickHouse engine if it was started for that, and then never
// returns; otherwise it does nothing. Call it before anything else in main and in TestMain.
func RunChild() {
	library, marked := os.LookupEnv(childEnv)
	if !marked {
		return
	}
	os.Unsetenv(childEnv)
	if err := runLibrary(library, append([]string{"clickhouse-local"}, os.Args[1:]...)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// runLibrary runs what the library has for a main function until the engine ends.
func runLibrary(path string, args []string) error {
	runtime.LockOSThread()
	library, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return fmt.Errorf("load the ClickHouse engine: %w", err)
	}
	var (
		commandLine func(argc int32, argv **byte) (result uintptr)
		resultError func(result uintptr) string
	)
	purego.RegisterLibFunc(&commandLine, library, "chdb_query_cmdline")
	purego.RegisterLibFunc(&resultError, library, "chdb_result_error")

	argv := cStrings(args)
	result := commandLine(int32(len(args)), (**byte)(unsafe.Pointer(&argv[0])))
	runtime.KeepAlive(argv)
	if result == 0 {
		return nil
	}
	if message := resultError(result); message != "" {
		return fmt.Errorf("the ClickHouse engine ended: %s", message)
	}
	return nil
}

// cStrings is a C argv: zero-terminated strings, and a nil at the end.
func cStrings(args []string) []*byte {
	argv := make([]*byte, len(args)+1)
	for i, arg := range args {
		argv[i] = unsafe.StringData(arg + "\x00")
	}
	return argv
}
