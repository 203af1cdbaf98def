package main

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/inference"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/fingerprint"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/oidc"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/internal/takeout"
	"github.com/abn-studio/studio/web"
)

// settingFlags are the flags for settings of a training, made from internal/recipe's table. A flag that is not given leaves the command's
// default; a value that is given, also 0, is used or refused. To kong they are Plugins: a struct that is made at run time.
type settingFlags struct{ kong.Plugins }

// flagsOf makes the flags of some settings, in the order of the help, which tells each one's default.
func flagsOf(fields []recipe.Field, byDefault func(recipe.Field) string) settingFlags {
	list := make([]reflect.StructField, len(fields))
	for i, f := range fields {
		tag := fmt.Sprintf("name:%q help:%q", f.FlagName(), f.FlagHelp()+byDefault(f))
		if f.Holder != "" {
			tag += fmt.Sprintf(" placeholder:%q", f.Holder)
		}
		var value reflect.Type
		switch {
		case f.Auto:
			value, tag = reflect.TypeFor[string](), tag+fmt.Sprintf(" default:%q", recipe.Auto)
		case f.Type == recipe.Word || f.Type == recipe.Several:
			value = reflect.TypeFor[*string]()
		case f.Type == recipe.Switch:
			value = reflect.TypeFor[bool]()
		default:
			value = reflect.PointerTo(reflect.TypeOf(f.Default))
		}
		list[i] = reflect.StructField{Name: fmt.Sprintf("Setting%d", i), Type: value, Tag: reflect.StructTag(tag + fmt.Sprintf(" setting:%q", f.Name))}
	}
	return settingFlags{kong.Plugins{reflect.New(reflect.StructOf(list)).Interface()}}
}

// of returns a function that writes a setting's default, among those of a command, for the help. It writes nothing for a switch, which
// is off, and for a setting with auto, whose default kong writes.
func of(defaults recipe.Settings) func(recipe.Field) string {
	return func(f recipe.Field) string {
		if f.Auto || f.Type == recipe.Switch {
			return ""
		}
		return " (default: " + defaults.Text(f.Name) + ")"
	}
}

// ofFineTuning writes a setting's default for a fine-tuning and, where a mechanism wants another one, that too.
func ofFineTuning(f recipe.Field) string {
	return besides(of(recipe.Defaults())(f), f.Otherwise())
}

// besides writes what else a default is into its words; it leaves words alone that say none.
func besides(text, more string) string {
	if text == "" || more == "" {
		return text
	}
	return strings.TrimSuffix(text, ")") + "; " + more + ")"
}

// ofTraining writes a setting's default for a training from scratch and, if it differs, for one from a network's weights.
func ofTraining(f recipe.Field) string {
	more := ""
	if from := recipe.ContinuedDefaults().Text(f.Name); from != recipe.ScratchDefaults().Text(f.Name) {
		more = "with --from: " + from
	}
	return besides(of(recipe.ScratchDefaults())(f), more)
}

// named returns the settings of the given names.
func named(names ...string) []recipe.Field {
	list := make([]recipe.Field, len(names))
	for i, name := range names {
		f, known := recipe.FieldNamed(name)
		if !known {
			panic("no setting " + name)
		}
		list[i] = f
	}
	return list
}

// andOthers returns the settings of the given names, and after them all others that suit a command.
func andOthers(suits func(recipe.Field) bool, names ...string) []recipe.Field {
	list := named(names...)
	for _, f := range recipe.Fields {
		if suits(f) && !slices.Contains(names, f.Name) {
			list = append(list, f)
		}
	}
	return list
}

// withHelp returns settings with other help texts, by their names.
func withHelp(fields []recipe.Field, help map[string]string) []recipe.Field {
	for i, f := range fields {
		if words, other := help[f.Name]; other {
			fields[i].Help = words
		}
	}
	return fields
}

// schedule are the settings that all trainings have flags for.
var schedule = []string{"epochs", "batch_size", "learning_rate", "momentum", "weight_decay", "schedule", "flip"}

// regime are further settings of how the steps are taken.
var regime = []string{"engine", "optimizer", "warm_up", "spare_norms", "clip_norm", "balanced", "patience", "crop", "seed"}

func finetuneFlags() settingFlags {
	return flagsOf(andOthers(func(recipe.Field) bool { return true },
		slices.Concat([]string{"strategy", "gamma", "map_loss", "rates", "batch_norm", "anchor"}, schedule, regime, []string{"edit_repeat", "refit", "arms", "seeds"})...), ofFineTuning)
}

func trainFlags() settingFlags {
	return flagsOf(andOthers(func(f recipe.Field) bool { return !f.OfMaps }, slices.Concat(schedule, regime)...), ofTraining)
}

func sweepFlags() settingFlags {
	return flagsOf(named(append(slices.Clone(schedule), "edit_repeat")...), ofFineTuning)
}

func benchRecipeFlags() settingFlags {
	return flagsOf(withHelp(named(append(slices.Clone(schedule), "edit_repeat", "rates", "gamma")...),
		map[string]string{"rates": "Learning rates, ${rates}.", "gamma": "Scale of the map loss, ${gamma}."}), ofFineTuning)
}

func studyRoundsFlags() settingFlags {
	return flagsOf(named(append(slices.Clone(schedule), "edit_repeat", "rates", "clip_norm", "gamma", "map_loss", "map_weight", "blocks", "arms", "perturbed")...),
		func(f recipe.Field) string { return besides(of(studyDefaults())(f), f.Otherwise()) })
}

// given returns the values of the flags that were given, by the settings' names; recipe.Auto for a setting that is left to the studio.
func (c settingFlags) given() map[string]any {
	given := map[string]any{}
	for _, plugin := range c.Plugins {
		v := reflect.ValueOf(plugin).Elem()
		for i := range v.NumField() {
			name, value := v.Type().Field(i).Tag.Get("setting"), v.Field(i)
			switch {
			case value.Kind() == reflect.Pointer && !value.IsNil():
				given[name] = value.Elem().Interface()
			case value.Kind() == reflect.Bool && value.Bool(), value.Kind() == reflect.String:
				given[name] = value.Interface()
			}
		}
	}
	return given
}

// flagged names the settings that the command has a flag for.
func (c settingFlags) flagged() (names []string) {
	for _, plugin := range c.Plugins {
		v := reflect.ValueOf(plugin).Elem()
		for i := range v.NumField() {
			names = append(names, v.Type().Field(i).Tag.Get("setting"))
		}
	}
	return names
}

// left names the settings that are left to the studio, which looks at the network. A setting that the command has no flag for is its own.
func (c settingFlags) left() (names []string) {
	given, flags := c.given(), c.flagged()
	for _, f := range recipe.Fields {
		if value, ok := given[f.Name]; value == recipe.Auto || !ok && f.OfGain != nil && slices.Contains(flags, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// fill sets the fields of s that were given.
func (c settingFlags) fill(s *recipe.Settings) error {
	given := c.given()
	for _, f := range recipe.Fields {
		value, ok := given[f.Name]
		if !ok {
			continue
		}
		if f.Auto {
			if err := s.Choose(f.Name, value.(string)); err != nil {
				return err
			}
		} else if err := s.Set(f.Name, value); err != nil {
			return err
		}
	}
	return nil
}

// settingWords fill in the help and the defaults of flags: NAME is what a setting may be, NAME_default its default, NAME_all all its
// words, apart by commas.
func settingWords() map[string]string {
	words := map[string]string{}
	for _, f := range recipe.Fields {
		if want := f.Want(); want != "" {
			words[f.Name] = want
		}
		words[f.Name+"_default"] = recipe.Defaults().Text(f.Name)
		var all []string
		for _, c := range f.OnForm() {
			all = append(all, c.Word)
		}
		words[f.Name+"_all"] = strings.Join(all, ",")
	}
	return words
}

// manifestWords are what the fields of a manifest may be.
func manifestWords() map[string]string {
	mean, std := manifest.ImageNet.Of(3)
	words := map[string]string{"imagenet_mean": manifest.Numbers(mean, ","), "imagenet_std": manifest.Numbers(std, ",")}
	for field, list := range map[string][]string{"interpolation": manifest.Interpolations, "channels": manifest.Channels} {
		words[field+"_words"] = strings.Join(list, ",")
		words[field] = strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
	}
	return words
}

// commas are the words of a list, as flags take them.
func commas[T ~string](list []T) string {
	all := make([]string, len(list))
	for i, word := range list {
		all[i] = string(word)
	}
	return strings.Join(all, ",")
}

// wordUsed finds the names of words in a tag: ${name}.
var wordUsed = regexp.MustCompile(`\$\{(\w+)`)

// withHelpWords fills help, defaults and choices of all flags in. Kong fills every variable in anew for every flag that could use it:
// given all words at once it would take longer than most commands do, so each flag and command gets those that it names.
func withHelpWords() kong.Option {
	words := helpWords()
	used := func(tag *kong.Tag, texts ...string) {
		for _, m := range wordUsed.FindAllStringSubmatch(strings.Join(texts, "\x00"), -1) {
			word, ok := words[m[1]]
			if !ok {
				continue // kong has it, or says that it is missing
			}
			if tag.Vars == nil {
				tag.Vars = kong.Vars{}
			}
			tag.Vars[m[1]] = word
		}
	}
	return kong.PostBuild(func(k *kong.Kong) error {
		return kong.Visit(k.Model, func(node kong.Visitable, next kong.Next) error {
			switch n := node.(type) {
			case *kong.Node:
				used(n.Tag, n.Help)
			case *kong.Flag:
				used(n.Tag, n.PlaceHolder)
			case *kong.Value:
				used(n.Tag, append([]string{n.Default, n.Enum, n.Help}, n.Tag.Envs...)...)
			}
			return next(nil)
		})
	})
}

// helpWords are what the help of all commands is filled in with.
func helpWords() map[string]string {
	words := settingWords()
	maps.Copy(words, nameWords())
	maps.Copy(words, manifestWords())
	maps.Copy(words, map[string]string{"providers": providerNames(), "formats": formatNames(), "nearBits": strconv.Itoa(fingerprint.Bound), "maxNearBits": strconv.Itoa(fingerprint.MaxBound), "starts": commas(attention.StartMethods()), "roles": commas(annotator.UserRoles), "member_roles": commas(annotator.MemberRoles), "splits": commas(annotator.Splits), "bringer": annotator.DefaultBringer, "exports": commas(annotator.ExportKinds), "exportformats": strings.Join(takeout.FormatKeys(), ","),
		"editstates": commas(annotator.EditStates), "taskstates": commas(annotator.TaskStates), "broughtstates": commas(annotator.BroughtStates), "editsources": commas(annotator.EditSources),
		"min_link": blob.MinLinkLasts.String(), "max_link": blob.MaxLinkLasts.String(), "max_model_mb": strconv.Itoa(annotator.DefaultMaxModelBytes >> 20), "max_import_gb": strconv.Itoa(jobs.DefaultMaxImportBytes >> 30), "oidc_redirect": web.InstitutionBack, "oidc_groups_claim": oidc.DefaultGroupsClaim, "feature_cache_mb": strconv.Itoa(defaultFeatureCacheMB), "blob_cache_mb": strconv.Itoa(blob.DefaultCacheBytes >> 20), "picture_cache_mb": strconv.Itoa(inference.DefaultPictureBytes >> 20)})
	return words
}
