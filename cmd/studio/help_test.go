package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/abn-studio/studio/internal/recipe"
)

// The help of every command shows each flag's choices and its default.
func TestHelpShowsChoicesAndDefaults(t *testing.T) {
	t.Parallel()
	cli := newCommandLine()
	parser, err := kong.New(&cli, kong.Name("studio"), withHelpWords())
	if err != nil {
		t.Fatal(err)
	}
	flags := 0
	settings := map[string]recipe.Field{} // that have a default of their own
	for _, f := range recipe.Fields {
		if !f.Auto && f.Type != recipe.Switch {
			settings[f.FlagName()] = f
		}
	}
	for _, command := range parser.Model.Leaves(false) {
		code, help, stderr := runStudio(t, append(strings.Fields(strings.TrimPrefix(command.Path(), "studio ")), "--help")...)
		if code != exitOK {
			t.Fatalf("studio %s --help: %s", command.Path(), stderr)
		}
		help = strings.Join(strings.Fields(help), " ") // without line breaks
		for _, group := range command.AllFlags(true) {
			for _, flag := range group {
				flags++
				if f, is := settings[flag.Name]; is && command.Path() == "studio finetune" && !strings.Contains(flag.Help, "(default: "+recipe.Defaults().Text(f.Name)+")") {
					t.Errorf("studio finetune: --%s does not show its default: %s", flag.Name, flag.Help)
				}
				for _, choice := range flag.EnumSlice() {
					if !strings.Contains(flag.Help, choice) {
						t.Errorf("studio %s: --%s does not list %s", command.Path(), flag.Name, choice)
					}
				}
				if flag.HasDefault && flag.Default != "" && !flag.IsBool() && !strings.Contains(help, "--"+flag.Name+"="+flag.Default) && !strings.Contains(help, "--"+flag.Name+`="`+flag.Default) &&
					!strings.Contains(flag.Help, flag.Default) {
					t.Errorf("studio %s: --%s does not show its default %s", command.Path(), flag.Name, flag.Default)
				}
			}
		}
	}
	if flags < 100 {
		t.Errorf("%d flags were looked at", flags)
	}
}
