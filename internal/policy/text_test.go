package policy

import (
	"strings"
	"testing"
)

const rule = "@id(\"mine\")\n@because(\"b\")\npermit (principal, action, resource)"

func TestTextsThatLoad(t *testing.T) {
	for name, c := range map[string]struct{ text, note string }{
		"a byte order mark first":         {"\ufeff" + rule + ";", "1: the file begins with a byte order mark"},
		"a no-break space":                {rule + "\nwhen {\u00a0context.manual };", "4: the file has a no-break space (U+00A0), which is read as a blank"},
		"a wide space":                    {rule + "\u3000;", "3: the file has the character U+3000, which is read as a blank"},
		"a line separator":                {rule + "\u2028;", "3: the file has a line separator (U+2028)"},
		"a no-break space in a comment":   {"// a\u00a0b\n" + rule + ";", ""},
		"quotation marks in a comment":    {"// “a” \"b\n" + rule + ";", ""},
		"a no-break space in a text":      {rule + "\nwhen { context has via && context.via == \"a\u00a0b\" };", ""},
		"a comment as in C":               {"/* a\n\"b */" + rule + ";", "1: the file has a comment between /* and */"},
		"line ends of Windows":            {strings.ReplaceAll(rule, "\n", "\r\n") + ";\r\n", ""},
		"slashes in a text":               {rule + "\nwhen { context has via && context.via == \"http://x /* y\" };", ""},
		"an escaped quotation mark":       {rule + `when { context has via && context.via == "a\"; // “" };`, ""},
		"a star by its number, no like":   {rule + `when { context has via && context.via == "\u{2a}" };`, ""},
		"an escaped star in a pattern":    {rule + `when { context has via && context.via like "a\*" };`, ""},
		"a backslash before a number":     {rule + `when { context has via && context.via like "a\\u{2a}" };`, ""},
		"a fact in two clauses":           {rule + "\nwhen { context has explained }\nwhen { context.explained > 80 };", ""},
		"a fact in when and unless":       {rule + "\nwhen { context has explained }\nunless { context.explained > 80 };", ""},
		"a tag in two clauses":            {rule + "\nwhen { resource.hasTag(\"a\") }\nunless { resource.getTag(\"a\") == \"b\" };", ""},
		"three clauses":                   {rule + "\nwhen { context has via }\nunless { context.manual }\nwhen { context.via == \"x\" };", ""},
		"a duration with a duration":      {rule + `when { duration("1h") < duration("2h") };`, ""},
		"four times not":                  {rule + "when { !!!!context.manual && !!!!true && !(!!!!context.lost) };", ""},
		"four times minus after a minus":  {rule + "when { context.copies - ----1 > 2 && (1) - ----1 > 2 && [1].isEmpty() };", ""},
		"a duration's number":             {rule + `when { context.copies < duration("1h").toHours() };`, ""},
		"a date with a date":              {rule + `when { datetime("2026-03-04") < datetime("2026-03-05") };`, ""},
		"a clause that is true by itself": {rule + "\nwhen { true }\nwhen { context.manual };", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Load("mine.cedar", []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			var notes []string
			for _, f := range p.Check() {
				if strings.HasPrefix(f.Text, "the file ") {
					notes = append(notes, strings.TrimSpace(string(rune('0'+f.Line))+": "+f.Text))
				}
			}
			if got := strings.Join(notes, "; "); !strings.HasPrefix(got, c.note) || c.note == "" && got != "" {
				t.Errorf("the notes are %q, want %q", got, c.note)
			}
		})
	}
}

func TestTextsThatAreRefused(t *testing.T) {
	when := func(condition string) string { return rule + "\nwhen { " + condition + " };" }
	for name, c := range map[string]struct{ text, want string }{
		"UTF-16":                              {"\xff\xfe@\x00i\x00", "mine.cedar:1: the file is in UTF-16; save it as UTF-8"},
		"UTF-16, big":                         {"\xfe\xff\x00@", "mine.cedar:1: the file is in UTF-16"},
		"Latin-1":                             {strings.Replace(rule, "b", "f\xfcr", 1), "mine.cedar:2: the file is not UTF-8: the byte 0xfc"},
		"a byte order mark inside":            {rule + "\n\ufeff;", "mine.cedar:4: a byte order mark (U+FEFF) stands outside a text"},
		"two byte order marks":                {"\ufeff\ufeff" + rule, "mine.cedar:1: a byte order mark (U+FEFF) stands outside a text"},
		"a zero-width space":                  {when("context.\u200bmanual"), "mine.cedar:4: a zero-width space (U+200B) stands outside a text"},
		"quotation marks of a word processor": {strings.Replace(rule, `("b")`, "(“b”)", 1), "mine.cedar:2: “ (U+201C) stands outside a text"},
		"a letter that only looks right":      {when("\u0441ontext.manual"), "mine.cedar:4: с (U+0441) stands outside a text"},
		"a zero byte":                         {"// \x00\n" + rule, "mine.cedar:1: there is the character U+0000 here"},
		"a text without an end":               {"\n@id(\"mine)\npermit (principal, action, resource);\n", "mine.cedar:2: a text begins here and does not end"},
		"a text over two lines of Windows":    {"@id(\"mine\")\r\n@because(\"a\r\nb\")\r\n", "mine.cedar:2: a text goes over the end of a line with a carriage return"},
		"a comment that ends in two ways":     {"// x\rpermit (principal, action, resource);\n" + rule, "mine.cedar:1: a comment has a carriage return inside"},
		"a star by its number":                {when(`context has via && context.via like "a\u{2a}"`), "mine.cedar:4: a pattern has a star by its number"},
		"a star by a longer number":           {when(`context has via && context.via like "a\u{00_2A}"`), "mine.cedar:4: a pattern has a star by its number"},
		"a star by its byte":                  {when(`context has via && context.via like` + "\n// c\n" + `"\x2a"`), "mine.cedar:6: a pattern has a star by its number"},
		"an id over two lines":                {strings.Replace(rule, "mine", "mi\nne", 1) + ";", `mine.cedar:1: the @id "mi\nne" goes over a line's end`},
		"an error after a text of two lines":  {strings.Replace(rule, `"b"`, "\"b\nc\"", 1) + "\nwhen { context.manual && };", "mine.cedar:5:27"},
		"an error beside such a text":         {"@id(\"mine\")\n@because(\"b\nc\") forbidden", "mine.cedar:3:14"},
		"a number that is too big":            {when("context.copies > 9223372036854775808") + rule, `mine.cedar:4: strconv.ParseInt: parsing "9223372036854775808": value out of range`},
		"five times not":                      {when("!! // x\n! !!context.manual"), "mine.cedar:5: more than 4 times ! stands before an expression"},
		"five times minus":                    {when("context.copies > -----1"), "mine.cedar:4: more than 4 times - stands before an expression"},
		"five times minus, after a minus":     {when("context.copies - -----1 > 2"), "mine.cedar:4: more than 4 times - stands before an expression"},
		"five times minus, after then":        {when("if true then -----1 > 2 else true"), "mine.cedar:4: more than 4 times - stands before an expression"},
		"a plus sign":                         {when(`decimal("+1.0").lessThan(decimal("2.0"))`), "a decimal begins with a plus sign"},
		"an escape that is none":              {rule + "\nwhen { context has via &&\n context.via == \"\\u{110000}\" };\n" + rule, `mine.cedar:5: bad unicode escape`},
		"a number with a duration":            {when(`context.copies < duration("1h")`), `mine.cedar:1: policy "mine": unexpected type: expected Long but saw duration`},
		"a duration with a number":            {when(`duration("1h") >= 3600`), `mine.cedar:1: policy "mine": unexpected type: expected Long but saw duration`},
		"a date with a number":                {when(`datetime("2026-03-04") > context.copies`), `mine.cedar:1: policy "mine": unexpected type: expected Long but saw datetime`},
		"a date with a duration":              {when(`datetime("2026-03-04") <= duration("1h")`), `mine.cedar:1: policy "mine": unexpected type: expected datetime but saw duration`},
		"a number and a duration, in the second clause": {when(`context.manual`) + "\n" + strings.Replace(strings.Replace(when("true"), "mine", "other", 1), "};", `} unless { duration("1h") < context.copies };`, 1),
			`mine.cedar:5: policy "other": unexpected type: expected Long but saw duration`},
		"a fact whose has comes too late": {rule + "\nwhen { context.explained > 80 }\nwhen { context has explained };", "unable to guarantee safety of access to optional attribute `explained`"},
		"a has that is denied":            {rule + "\nunless { context has explained }\nwhen { context.explained > 80 };", "unable to guarantee safety of access to optional attribute `explained`"},
		"a number as the second clause":   {rule + "\nwhen { context.manual }\nwhen { 1 };", "expected Bool but saw Long"},
		"no kind, in the second clause":   {rule + "\nwhen { context.manual }\nunless { context.kind == Kind::\"root-kye\" };", `Kind::"root-kye" does not exist`},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Load("mine.cedar", []byte(c.text))
			if p != nil || err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Load = %v, %v, want one line with %s", p, err, c.want)
			}
		})
	}
}

// An error says on which line the condition begins that does not fit.
func TestErrorsSayTheLineOfTheCondition(t *testing.T) {
	const first = "@id(\"first\") @because(\"b\")\npermit (principal, action, resource)\nwhen { context.manual &&\n  context.lost };\n"
	for name, c := range map[string]struct{ conditions, want string }{
		"one line":                        {"when { context.x };", ", in line 8"},
		"the third":                       {"when {\n  context.manual &&\n  context.lost && context.spread &&\n\n  context.copies < duration(\"1h\")\n};", ", in line 12"},
		"the first":                       {"when {\n  context.copies < duration(\"1h\") &&\n  context.lost\n};", ", in line 9"},
		"a text over two lines before it": {"when { context has via && context.via == \"a\nb\" &&\n context.x };", ", in line 10"},
		"a text first":                    {"when {\n\"a\" < 1 };", ", in line 9"},
		"the second clause":               {"when { context.manual }\nunless { context.lost ||\n context.x };", ", in line 9"},
		"brackets":                        {"when {\n (context.manual && context.lost) &&\n !(context.lost &&\n context.x) };", ", in line 10"},
		"more in it than is seen":         {"when { ((context.manual && context.lost)) && context has via.x &&\n context.lost };", ", in line 8"},
		"brackets with a fault first":     {"when { (context.manual &&\n context.x) &&\n context.lost };", ", in line 8"},
		"a record":                        {"when { {when: true, unless: {a: true}}.when &&\n context.x };", ", in line 9"},
		"an enum":                         {"when { context.manual }\nwhen {\n  context.lost &&\n  context.kind == Kind::\"root-kye\" };", ", in line 11"},
		"a has before it":                 {"when { context has explained &&\n context.explained > 1 &&\n context.x };", ", in line 10"},
		"a comment like a clause":         {"// when { x }\nwhen { context.manual && // &&\n context.x };", ", in line 10"},
		"the scope":                       {";", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := first + strings.Replace(rule, "resource", map[bool]string{true: "resource is Bukket", false: "resource"}[c.want == ""], 1) + "\n" + c.conditions
			_, err := Load("mine.cedar", []byte(text))
			if err == nil || !strings.HasPrefix(err.Error(), `mine.cedar:5: policy "mine": `) || !strings.HasSuffix(err.Error(), c.want) || c.want == "" && strings.Contains(err.Error(), "in line") {
				t.Errorf("Load = %v, want %q", err, c.want)
			}
		})
	}
}

// Clauses are one conjunction where they are judged too, and a reason over two lines is one line.
func TestDecideOfClausesAndLongReasons(t *testing.T) {
	p, err := Load("mine.cedar", []byte("@id(\"mine\")\n@because(\"a reason\n    over two lines\")\npermit (principal, action, resource)\n"+
		"when { context has explained }\nwhen { context.explained > 80 }\nunless { context has via };\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := stolen()
	judge(t, p, f, DeactivateKey, key(), Contain, "mine")
	if got, want := Decide(p, f, DeactivateKey, key()).Reasons[0].Because, "a reason over two lines"; got != want {
		t.Errorf("the reason is %q, want %q", got, want)
	}
	f.Explained = nil
	judge(t, p, f, DeactivateKey, key(), Leave, "default-deny")
	f.Explained, f.Via = new(int64(99)), "athena.amazonaws.com"
	judge(t, p, f, DeactivateKey, key(), Leave, "default-deny")
}

// What stands after a text of several lines keeps its place, and nothing else moves.
func TestPlainKeepsPlaces(t *testing.T) {
	for text, want := range map[string]string{
		"a \"b\" c\n":               "a \"b\" c\n",
		"a \"b\nc\" d\ne":           "a \"b\\nc\"\n   d\ne",
		"\"\n\n\" d":                "\"\\n\\n\"\n\n  d",
		"x\u00a0y // \u00a0\n\"é\"": "x y // \u00a0\n\"é\"",
	} {
		got, err := plain("x", []byte(text))
		if err != nil || string(got.text) != want {
			t.Errorf("plain(%q) = %q, %v, want %q", text, got.text, err, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(string(shipped))
	f.Add("@id(\"a\") @because(\"b\nc\") permit (principal, action, resource) when { context has via && context.via like \"\\u{2a}\" };")
	f.Add("\ufeff/* \u00a0 */ // \r\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Load("mine.cedar", []byte(text))
		switch {
		case (p == nil) != (err != nil):
			t.Errorf("Load = %v, %v", p, err)
		case err != nil && !oneSentence.MatchString(err.Error()):
			t.Errorf("Load = %q, which is no sentence with its place", err)
		case p != nil:
			p.Check()
			Decide(p, stolen(), DeactivateKey, key())
		}
	})
}
