package embedded

import (
	"fmt"
	"os"
	"strings"
	"text/template"
)

// settings are what a laptop needs different from a server: caches that are bounded well under the
// memory there is, few merge threads, a log that cannot grow. The engine's tables about itself (query_log
// and its like) do not exist in this form, so there is nothing to switch off. XML, because the library
// ends without a word on a YAML file.
var settings = template.Must(template.New("settings").Funcs(template.FuncMap{"xml": escapeXML}).Parse(`<clickhouse>
    <logger>
        <log>{{xml .Log}}</log>
        <size>10M</size>
        <count>1</count>
        <console>0</console>
    </logger>
    <max_server_memory_usage_to_ram_ratio>0.6</max_server_memory_usage_to_ram_ratio>
    <mark_cache_size>268435456</mark_cache_size>
    <index_mark_cache_size>67108864</index_mark_cache_size>
    <uncompressed_cache_size>0</uncompressed_cache_size>
    <background_pool_size>4</background_pool_size>
    <background_schedule_pool_size>16</background_schedule_pool_size>
    <max_concurrent_queries>200</max_concurrent_queries>
    <max_connections>1000</max_connections>
{{.Extra}}
</clickhouse>
`))

var xmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func escapeXML(text string) string { return xmlEscapes.Replace(text) }

// writeSettings makes the file for --config-file. extra is XML, put before the root element's end.
func writeSettings(path, log, extra string) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the engine's settings: %w", err)
	}
	defer file.Close()
	if err := settings.Execute(file, struct{ Log, Extra string }{log, extra}); err != nil {
		return fmt.Errorf("write the engine's settings: %w", err)
	}
	return nil
}
