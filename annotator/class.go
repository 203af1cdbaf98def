package annotator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ClassFinder returns a function that finds a class's index by its key, else by its name, else by either while it ignores case,
// spaces, hyphens and underscores, which folder names spell differently. If two classes match, it takes the first.
func ClassFinder(classes []Class) func(name string) (index int, found bool) {
	exact, loose := map[string]int{}, map[string]int{}
	for _, c := range slices.Backward(classes) {
		exact[c.Name] = c.Index
		loose[loosely(c.Name)], loose[loosely(c.Key)] = c.Index, c.Index
	}
	for _, c := range classes {
		exact[c.Key] = c.Index
	}
	return func(name string) (int, bool) {
		if index, ok := exact[name]; ok {
			return index, true
		}
		index, ok := loose[loosely(name)]
		return index, ok
	}
}

func loosely(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
}

// ClassChange is a change of a project's classes, and of the labels that depend on them. The zero value changes nothing.
type ClassChange struct {
	Classes []Class     // all classes after the change; nil: they stay as they are
	Labels  map[int]int // the new index of each label that images have so far and that moves
}

// ChangeClasses decides how a project's classes (now) change when a model or a data set has classes of its own, in the order of
// the model's logits. A project that has a model keeps its classes: only their names may differ, and their keys must be the same.
// Before the first model the classes come from folder names: each is looked up among the new ones, and the images' labels
// follow. A *ValidationError says what does not fit.
func ChangeClasses(now, classes []Class, hasModel bool) (ClassChange, error) {
	classes, err := numbered(classes)
	if err != nil || slices.Equal(now, classes) {
		return ClassChange{}, err
	}
	if hasModel {
		if slices.EqualFunc(now, classes, func(a, b Class) bool { return a.Key == b.Key }) {
			return ClassChange{}, nil
		}
		return ClassChange{}, &ValidationError{Field: "classes", Message: fmt.Sprintf(
			"differ from the project's: it has %d (%s), the model %d (%s)", len(now), firstKeys(now), len(classes), firstKeys(classes))}
	}
	change := ClassChange{Classes: classes, Labels: map[int]int{}}
	find := ClassFinder(classes)
	for _, c := range now {
		index, ok := find(c.Key)
		if !ok {
			index, ok = find(c.Name)
		}
		if !ok {
			return ClassChange{}, &ValidationError{Field: "classes", Message: fmt.Sprintf("the images have a class %q that the model does not know", c.Key)}
		}
		if index != c.Index {
			change.Labels[c.Index] = index
		}
	}
	keys := map[string]struct{}{}
	for _, c := range classes {
		keys[c.Key] = struct{}{}
	}
	if len(keys) < len(classes) {
		return ClassChange{}, &ValidationError{Field: "classes", Message: "two of them have the same name"}
	}
	return change, nil
}

// numbered returns classes as a project stores them: with their indices, a key and a name each, and no spaces around them.
func numbered(classes []Class) ([]Class, error) {
	if len(classes) == 0 {
		return nil, &ValidationError{Field: "classes", Message: "are missing"}
	}
	classes = slices.Clone(classes)
	for i := range classes {
		c := &classes[i]
		c.Index = i
		c.Key, c.Name = strings.TrimSpace(c.Key), strings.TrimSpace(c.Name)
		if c.Key == "" {
			c.Key = c.Name
		}
		if c.Name == "" {
			c.Name = c.Key
		}
		if c.Key == "" {
			return nil, &ValidationError{Field: "classes", Message: fmt.Sprintf("number %d has no name", i)}
		}
	}
	return classes, nil
}

// LabelImages finds the class of each image among a project's, as ClassFinder does: labels holds its index, nil where
// the image has none. A class that is not there is added (by key, after the others) while the project has no model; once
// it has one, that is a *ValidationError.
func LabelImages(classes []Class, hasModel bool, images []NewImage) (labels []*int, added []Class, err error) {
	find := ClassFinder(classes)
	unknown := map[string]struct{}{}
	for _, image := range images {
		if _, ok := find(image.Class); !ok && image.Class != "" {
			unknown[image.Class] = struct{}{}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(unknown)) {
		if hasModel {
			return nil, nil, unknownClass(classes, key)
		}
		added = append(added, Class{Index: len(classes) + len(added), Key: key, Name: key})
	}
	find = ClassFinder(slices.Concat(classes, added))
	labels = make([]*int, len(images))
	for i, image := range images {
		if image.Class != "" {
			index, _ := find(image.Class)
			labels[i] = &index
		}
	}
	return labels, added, nil
}

// unknownClass refuses a class that a project's model does not know.
func unknownClass(classes []Class, key string) error {
	return &ValidationError{Field: "class", Message: fmt.Sprintf("%q is none of the %d classes that the project's model tells apart (%s): leave its pictures out, give "+
		"the class the name it has there, or make a project of its own, with a model that knows it", key, len(classes), firstKeys(classes))}
}

// CheckClasses refuses classes that a project cannot take: if it has a model, those that the model does not have.
func CheckClasses(now, classes []Class, hasModel bool) error {
	if !hasModel {
		return nil
	}
	find := ClassFinder(now)
	for _, c := range classes {
		if _, ok := find(c.Key); !ok {
			return unknownClass(now, c.Key)
		}
	}
	return nil
}

// firstKeys lists the keys of the first few classes, for a message.
func firstKeys(classes []Class) string {
	var keys []string
	for _, c := range classes[:min(3, len(classes))] {
		keys = append(keys, c.Key)
	}
	if len(classes) > 3 {
		keys = append(keys, "…")
	}
	return strings.Join(keys, ", ")
}
