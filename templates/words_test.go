package templates

import (
	"strings"
	"testing"

	"github.com/a-h/templ"
)

// Elements and values stand where the text has them; what is written in it is escaped.
func TestRich(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]templ.Component{
		`press <kbd>N</kbd> &lt;now&gt;`:                        Rich("press <kbd>N</kbd> {x}", "x", "<now>"),
		`see <a href="/a">the <code>1,120</code> of it</a>.`:    Rich("see <link>the <code>{n}</code> of it</link>.", "link", link("/a"), "n", 1120),
		`<span class="chip chip-open">open</span> is its state`: Rich("{chip} is its state", "chip", Chip("open", "open")),
		`<strong>1 thing</strong>`:                              RichN(1, "<strong>{n} thing</strong>", "<strong>{n} things</strong>"),
		`<strong>2 things</strong>`:                             RichN(2, "<strong>{n} thing</strong>", "<strong>{n} things</strong>"),
	} {
		var b strings.Builder
		if err := c.Render(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%s, want %s", b.String(), want)
		}
	}
	var b strings.Builder
	if err := Rich("<script>x</script>").Render(t.Context(), &b); err == nil {
		t.Errorf("a tag that is no argument: %s", b.String())
	}
}
