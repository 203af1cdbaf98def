package web

import (
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
	"github.com/abn-studio/studio/internal/forecast"
	"github.com/abn-studio/studio/internal/takeout"
)

// bound is what a field of a request takes: a text of some length, a number of a range, or one of some words. The field's tag
// `bound` names it. huma's own tags (maxLength, maximum, enum) take literals, which would say a second time what package
// annotator says.
type bound struct {
	text      *annotator.TextBound
	pattern   string                   // of a text, for clients; problem says it to people
	problem   func(text string) string // nil: text's
	low, high float64                  // of a number, or of each in a list; both 0: anything
	most      int                      // of a list: how many it has, at least one
	none      bool                     // a list may be empty
	words     []any
	byDefault any
}

// notBlank is the pattern of a text that must be there: spaces around it do not count.
const notBlank = `\S`

// written bounds what people write. typed bounds what they type of something that is there already, or leave out.
func written(b annotator.TextBound) bound {
	if b.Least > 0 {
		return bound{text: &b, pattern: notBlank, problem: func(s string) string { return b.Problem(strings.TrimSpace(s)) }}
	}
	return bound{text: &b}
}

func typed(b annotator.TextBound) bound { return bound{text: &annotator.TextBound{Most: b.Most}} }

var bounds = map[string]bound{
	"slug":              written(annotator.BoundSlug),
	"new slug":          {text: &annotator.BoundSlug, pattern: annotator.SlugPattern, problem: annotator.SlugProblem},
	"project name":      written(annotator.BoundProjectName),
	"description":       written(annotator.BoundDescription),
	"class name":        written(annotator.BoundClassName),
	"e-mail":            written(annotator.BoundEmail),
	"typed e-mail":      typed(annotator.BoundEmail),
	"person's name":     written(annotator.BoundPersonName),
	"typed name":        typed(annotator.BoundPersonName),
	"password":          {text: &annotator.BoundPassword},
	"present password":  typed(annotator.BoundPassword),
	"code":              typed(annotator.BoundCode),
	"token's days":      {low: 1, high: annotator.MaxTokenDays, byDefault: annotator.DefaultTokenDays},
	"token name":        written(annotator.BoundTokenName),
	"search":            written(annotator.BoundSearch),
	"reason":            written(annotator.BoundSkipReason),
	"date":              typed(annotator.BoundDate),
	"time zone":         typed(annotator.BoundZone),
	"comment":           written(annotator.BoundComment),
	"idempotency key":   written(annotator.BoundIdempotencyKey),
	"file name":         typed(annotator.BoundFileName), // "": a name is made up
	"sent name":         written(annotator.BoundFileName),
	"value's name":      written(annotator.BoundValueName),
	"group":             written(annotator.BoundGroup),
	"pin's place":       {high: attention.MaxSide - 1},
	"pin's words":       written(annotator.BoundPin),
	"edits":             {most: annotator.MaxVerdicts},
	"pins":              {most: annotator.MaxPins, none: true},
	"page of tasks":     {low: 1, high: annotator.MaxPage, byDefault: annotator.DefaultPage},
	"start examples":    {low: 1, high: annotator.MaxStartExamples},
	"start radius":      {high: attention.MaxStartRadius},
	"cells on a side":   {low: 1, high: attention.MaxSide},
	"changed values":    {high: 1, none: true, most: attention.MaxSide * attention.MaxSide},
	"share":             {high: 1},
	"clicks":            {most: annotator.MaxClicks},
	"cells' values":     {high: 1, most: attention.MaxSide * attention.MaxSide},
	"previewed radius":  {low: -1, high: attention.MaxStartRadius},
	"draft's source":    {words: choices(annotator.DraftSources)},
	"brought state":     {words: choices(annotator.BroughtStates)},
	"edit source":       {words: choices(annotator.EditSources)},
	"export":            {words: choices(annotator.ExportKinds)},
	"trail kind":        {words: choices(annotator.TrailKindNames())},
	"trail kinds":       {none: true, most: len(annotator.TrailKinds)},
	"webhook url":       written(annotator.BoundWebhookURL),
	"trail format":      {words: choices([]string{"csv", "jsonl"})},
	"export format":     {words: choices(takeout.FormatKeys())},
	"state_dict format": {words: choices(annotator.StateDictFormats)},
	"row format":        {words: choices(annotator.RowFormats)},
}

// choices is a list as a schema takes it.
func choices[T ~string](list []T) []any {
	all := make([]any, len(list))
	for i, word := range list {
		all[i] = string(word)
	}
	return all
}

// apply writes the bound into a field's schema.
func (b bound) apply(s *huma.Schema) {
	switch {
	case b.text != nil:
		s.MaxLength = &b.text.Most
		if b.text.Least > 0 {
			s.MinLength = &b.text.Least
		}
		s.Pattern = b.pattern
	case b.words != nil:
		s.Enum = b.words
	case b.most > 0:
		least := 1
		if b.none {
			least = 0
		}
		s.MinItems, s.MaxItems = &least, &b.most
		if b.high > b.low { // of numbers
			s.Items.Minimum, s.Items.Maximum = &b.low, &b.high
			s.Items.PrecomputeMessages()
		}
	default:
		s.Minimum, s.Maximum = &b.low, &b.high
	}
	if b.byDefault != nil {
		s.Default = b.byDefault
	}
	s.PrecomputeMessages()
}

// boundFields is where an operation's metadata keep its fieldsWithBounds.
const boundFields = "bounds"

// fieldsWithBounds are the fields of a request that have a bound, by their place as problems name it: "query.q", "body.name".
func fieldsWithBounds(request reflect.Type) map[string]bound {
	found := map[string]bound{}
	note := func(place string, f reflect.StructField, tag string) {
		name, tagged := f.Tag.Lookup("bound")
		key, _, _ := strings.Cut(f.Tag.Get(tag), ",")
		if !tagged || key == "" {
			return
		}
		b, known := bounds[name]
		if !known {
			panic("the tag bound of " + place + "." + key + " names " + name + ", which is none")
		}
		found[place+"."+key] = b
	}
	for _, f := range reflect.VisibleFields(request) {
		for _, place := range parameterPlaces {
			note(place, f, place)
		}
		if f.Name == "Body" && f.Type.Kind() == reflect.Struct {
			for _, inside := range reflect.VisibleFields(f.Type) {
				note("body", inside, "json")
			}
		}
	}
	return found
}

// constrain writes the bounds of an operation's fields into its schemas.
func constrain(api *huma.OpenAPI, o *huma.Operation) {
	fields, _ := o.Metadata[boundFields].(map[string]bound)
	for _, p := range o.Parameters {
		if b, ok := fields[p.In+"."+p.Name]; ok {
			b.apply(p.Schema)
		}
	}
	if o.RequestBody == nil || o.RequestBody.Content["application/json"] == nil {
		return
	}
	body := o.RequestBody.Content["application/json"].Schema
	if body.Ref != "" {
		body = api.Components.Schemas.SchemaFromRef(body.Ref)
	}
	for name, schema := range body.Properties {
		if b, ok := fields["body."+name]; ok {
			b.apply(schema)
		}
	}
}

// constrainSchema writes the bounds of a type's fields into its schema, wherever a request has it.
func constrainSchema(api *huma.OpenAPI, t reflect.Type) {
	schema := api.Components.Schemas.SchemaFromRef(api.Components.Schemas.Schema(t, true, "").Ref)
	for i := range t.NumField() {
		f := t.Field(i)
		if name, ok := f.Tag.Lookup("bound"); ok {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			bounds[name].apply(schema.Properties[key])
		}
	}
}

// inWordsOfBounds says of texts that huma refused by their schema what package annotator says of them, as pages do.
func (p *Problem) inWordsOfBounds(o *huma.Operation) {
	fields, _ := o.Metadata[boundFields].(map[string]bound)
	for _, wrong := range p.Errors {
		b := fields[wrong.Location]
		value, is := wrong.Value.(string)
		if b.text == nil || !is {
			continue
		}
		say := b.text.Problem
		if b.problem != nil {
			say = b.problem
		}
		if problem := say(value); problem != "" {
			wrong.Message = problem
			p.Title, p.Detail = notValid, p.Errors[0].Message
		}
	}
	p.Errors = slices.CompactFunc(p.Errors, func(a, b *huma.ErrorDetail) bool { return a.Location == b.Location && a.Message == b.Message }) // the schema's length and pattern are one rule of the domain
}

// enumeration is a type of the domain that is a string out of a list.
type enumeration struct {
	domain, api reflect.Type
	words       []any
}

func enumerated[T ~string](list []T) enumeration {
	return enumeration{reflect.TypeFor[T](), reflect.TypeFor[oneOf[T]](), choices(list)}
}

var enumerations = []enumeration{
	enumerated(annotator.Roles), enumerated(annotator.AllScopes()), enumerated(annotator.ProjectStates),
	enumerated(annotator.TaskStates), enumerated(annotator.HandedWays()), enumerated(annotator.BulkActions), enumerated(annotator.EditStates), enumerated(annotator.EditSources), enumerated(annotator.Verdicts), enumerated(annotator.Reasons), enumerated(annotator.ReviewOrders), enumerated(annotator.DrawWhys),
	enumerated(annotator.RoundStates), enumerated(annotator.Waits), enumerated(arms.All()), enumerated(annotator.VersionStates), enumerated(annotator.UploadStates),
	enumerated(annotator.JobKinds), enumerated(annotator.JobStates), enumerated(annotator.Splits), enumerated(annotator.PictureKinds),
	enumerated(annotator.ImageStates), enumerated(annotator.ActivationMethods), enumerated(annotator.Branches), enumerated(attention.StartMethods()),
	enumerated(annotator.LabelAnswers), enumerated(annotator.LabelStates), enumerated(annotator.LabelJudgements), enumerated(annotator.LabelCauses), enumerated(annotator.LeftOutReasons),
	enumerated(annotator.MapsOfs), enumerated(annotator.Feedbacks), enumerated(annotator.SharedStates), enumerated(annotator.SegmenterKinds), enumerated(annotator.SegmenterPixelWays), enumerated(annotator.OriginKinds), enumerated(annotator.TrailKindNames()),
	enumerated(forecast.Maps), enumerated(forecast.Verdicts), enumerated(forecast.AllAdvice),
}

// enumerate makes the schemas of enumerations say their words, wherever a field has such a type.
func (a *api) enumerate() {
	for _, e := range enumerations {
		a.huma.OpenAPI().Components.Schemas.RegisterTypeAlias(e.domain, e.api)
	}
	a.huma.OpenAPI().Components.Schemas.RegisterTypeAlias(reflect.TypeFor[arms.Set](), reflect.TypeFor[[]arms.Arm]())
}

// oneOf is what an enumeration is to the API.
type oneOf[T ~string] string

// TransformSchema implements huma.SchemaTransformer.
func (oneOf[T]) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	for _, e := range enumerations {
		if e.domain == reflect.TypeFor[T]() {
			s.Enum = e.words
		}
	}
	return s
}
