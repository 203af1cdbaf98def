package recipe

// Way is how a network can be fine-tuned as far as its operators matter: which branches are updated, and how their BatchNorms are
// treated. An engine can train a network in some ways and not in others. Those of the extractor's end depend on how much of it is
// trained, and are found out when they are asked for.
type Way struct {
	Strategy  Strategy
	BatchNorm BatchNorm
}

// Ways are all of them, in the order of the choices of both settings.
func Ways() (list []Way) {
	for _, strategy := range []Strategy{StrategyAttention, StrategyBoth} {
		for _, norm := range wordsOf("batch_norm") {
			list = append(list, Way{strategy, BatchNorm(norm)})
		}
	}
	return list
}

// Label is a way as pages call it.
func (w Way) Label() string {
	return labelOf("strategy", string(w.Strategy)) + ", BatchNorm's " + labelOf("batch_norm", string(w.BatchNorm))
}

// Engines are what can compute a training, in the order of the choices.
func Engines() (list []Engine) {
	for _, word := range wordsOf("engine") {
		list = append(list, Engine(word))
	}
	return list
}

// Label is an engine as people call it.
func (e Engine) Label() string { return labelOf("engine", string(e)) }

func wordsOf(name string) []string {
	f, _ := FieldNamed(name)
	return f.Words()
}

func labelOf(name, word string) string {
	f, _ := FieldNamed(name)
	return f.LabelOf(word)
}
