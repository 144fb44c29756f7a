package casefolder

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// cellRule says, in the manifest, how the list's cells are written and read.
const cellRule = `RFC 4180, UTF-8, lines end with LF. In a cell \\ is a backslash, \xNN the byte NN, \uNNNN and \UNNNNNNNN the character of that number: so stand what no printer shows, line breaks, semicolons and what is no UTF-8. ` +
	`A cell that would begin with = + - @ ' or one of their full-width forms begins with a ' that is no part of it: a spreadsheet runs nothing.`

// cell writes a text that others chose as a cell, by cellRule: no parser takes it apart, and no spreadsheet for a formula. The semicolon is escaped
// because it parts cells in the spreadsheets of many countries, whatever the quotes say.
// https://owasp.org/www-community/attacks/CSV_Injection
func cell(s string) string {
	var b strings.Builder
	for i, n := 0, 0; i < len(s); i += n {
		var c rune
		switch c, n = utf8.DecodeRuneInString(s[i:]); {
		case i == 0 && strings.ContainsRune("=+-@'\uff1d\uff0b\uff0d\uff20\uff07", c):
			b.WriteString("'" + s[:n])
		case c == '\\':
			b.WriteString(`\\`)
		case c == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case strconv.IsPrint(c) && c != ';':
			b.WriteRune(c)
		case c > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, c)
		default:
			fmt.Fprintf(&b, `\u%04x`, c)
		}
	}
	return b.String()
}
