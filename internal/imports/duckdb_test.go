package imports

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bundled is what DuckDB's source carries of others and what reaches its static libraries, as the licence files beside it say, in
// third_party, extension/icu and src/include/duckdb/storage/compression of DuckDB 1.5.6.
var bundled = []struct{ what, licence, copyright string }{
	{"ALP", "MIT", "2023 CWI, Azim Afroozeh, Leonardo Xavier Kuffo Rivero"},
	{"Apache Parquet's format", "Apache-2.0", "The Apache Software Foundation"},
	{"Apache Thrift", "Apache-2.0", "The Apache Software Foundation"},
	{"Brotli", "MIT", "2009, 2010, 2013-2016 the Brotli Authors"},
	{"concurrentqueue", "BSD-2-Clause; its semaphore Zlib", "2013-2016 Cameron Desrochers; Jeff Preshing"},
	{"cpp-httplib", "MIT", "2017 yhirose"},
	{"fast_float", "MIT", "its authors"},
	{"FastPFor", "Apache-2.0", "its authors"},
	{"fmt", "MIT", "2012 - present Victor Zverovich"},
	{"FSST", "MIT", "2018-2020 CWI, TU Munich, FSU Jena"},
	{"HyperLogLog", "MIT", "2012 Art.sy, Inc."},
	{"ICU", "Unicode, and those that its file lists", "1991-2020 Unicode, Inc."},
	{"jaro_winkler", "MIT", "2022 Max Bachmann"},
	{"jemalloc", "BSD-2-Clause", "2002-present Jason Evans, and others"},
	{"libpg_query", "BSD-3-Clause", "2015 Lukas Fittl"},
	{"LZ4", "BSD-2-Clause", "2011-2020 Yann Collet"},
	{"Mbed TLS", "Apache-2.0, of the two that it is offered under", "its authors"},
	{"miniz", "MIT", "2013-2014 RAD Game Tools and Valve Software, 2010-2014 Rich Geldreich and Tenacious Software LLC"},
	{"PCG", "MIT", "2014-2017 Melissa O'Neill and PCG Project contributors"},
	{"pdqsort", "Zlib", "2021 Orson Peters"},
	{"RE2", "BSD-3-Clause", "2009 The RE2 Authors"},
	{"ska_sort", "BSL-1.0", "2016 Malte Skarupke"},
	{"skiplist", "MIT", "2017-2023 Paul Ross"},
	{"Snappy", "BSD-3-Clause", "2011 Google Inc."},
	{"t-digest", "Apache-2.0", "Ted Dunning, Adrien Grand, Derrick R. Burns"},
	{"utf8proc", "MIT, and Unicode's for its data", "the Public Software Group and the Julia-language developers"},
	{"vergesort", "MIT", "2015 Morwenn"},
	{"yyjson", "MIT", "2020 YaoYuan"},
	{"Zstandard", "BSD-3-Clause", "2016-present Facebook, Inc."},
}

// archives are the static libraries that come with DuckDB's module. All that is in them stands in bundled, or is DuckDB's own; the data
// generators of the Transaction Processing Performance Council are under its licence, and nothing may link them.
var archives = strings.Fields(`autocomplete_extension core_functions_extension duckdb_fastpforlib duckdb_fmt duckdb_fsst
	duckdb_generated_extension_loader duckdb_hyperloglog duckdb_jemalloc duckdb_mbedtls duckdb_miniz duckdb_pg_query duckdb_re2
	duckdb_skiplistlib duckdb_static duckdb_utf8proc duckdb_yyjson duckdb_zstd icu_extension json_extension parquet_extension
	tpcds_extension tpch_extension`)

// writeDuckDB writes what is known of the code in DuckDB's static libraries.
func writeDuckDB(t *testing.T, page *strings.Builder, modules []*module) {
	t.Helper()
	i := slices.IndexFunc(modules, func(m *module) bool { return strings.HasSuffix(m.name, "lib/PLATFORM") })
	if i < 0 {
		t.Fatal("no static library of DuckDB is linked")
	}
	found, err := filepath.Glob(filepath.Join(modules[i].dir, "lib*.a"))
	if err != nil || found == nil {
		t.Fatalf("no static library of DuckDB: %v", err)
	}
	for _, path := range found {
		if name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "lib"), ".a"); !slices.Contains(archives, name) {
			t.Errorf("nobody has read yet what is in DuckDB's %s; see archives", name)
		}
	}
	loader, err := os.ReadFile(filepath.Join(modules[i].dir, "libduckdb_generated_extension_loader.a"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(loader, []byte("JsonExtension")) || bytes.Contains(loader, []byte("TpchExtension")) || bytes.Contains(loader, []byte("TpcdsExtension")) {
		t.Error("DuckDB's loader should name its extension for JSON, and not those for TPC-H and TPC-DS: their licence is the TPC's")
	}
	page.WriteString("\n## In DuckDB\n\n`lib/PLATFORM` is the static library of the machine's platform. It comes with DuckDB's own licence alone. DuckDB's source, as of 1.5.6,\n" +
		"carries this code of others, with these licences. The generators of TPC-H and TPC-DS, which are under a licence of the TPC, lie\n" +
		"beside it and are not linked. The C and C++ libraries are the machine's own.\n\n| what | licence | copyright |\n| --- | --- | --- |\n")
	for _, b := range bundled {
		fmt.Fprintf(page, "| %s | %s | %s |\n", b.what, b.licence, b.copyright)
	}
}
