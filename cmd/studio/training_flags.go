package main

import (
	"maps"

	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/trainer"
)

// settingWords fill in the help: under a setting's name what it may be.
func settingWords() map[string]string {
	words := map[string]string{}
	for _, f := range recipe.Fields {
		if f.Number || f.Choices != nil {
			words[f.Name] = f.Want()
		}
	}
	return words
}

// helpWords are what the help of all commands is filled in with.
func helpWords() map[string]string {
	words := settingWords()
	maps.Copy(words, map[string]string{"providers": providerNames(), "formats": formatNames()})
	return words
}

// schedule is what all trainings have in common. What is not given is the command's default; what is given is used or refused,
// 0 too.
type schedule struct {
	Epochs      *int     `help:"Times to go through the images, ${epochs}."`
	Batch       *int     `help:"Images in a batch, ${batch_size}."`
	LR          string   `name:"lr" help:"Peak learning rate, ${learning_rate}; auto: what suits the network." default:"auto" placeholder:"RATE"`
	Momentum    *float64 `help:"Momentum, ${momentum}."`
	WeightDecay *float64 `help:"Weight decay, ${weight_decay}."`
	Schedule    *string  `help:"How the learning rate moves: ${schedule}." placeholder:"NAME"`
	Flip        bool     `help:"Mirror images at random, their maps too."`
}

// autoRate reports whether the learning rate is left to the trainer.
func (c schedule) autoRate() bool { return c.LR == recipe.Auto }

// fill sets the fields of s that were given.
func (c schedule) fill(s *trainer.Settings) error {
	rate, given, err := recipe.ParseRate(c.LR)
	if err != nil {
		return err
	}
	if given {
		s.LearningRate = rate
	}
	put(&s.Epochs, c.Epochs)
	put(&s.BatchSize, c.Batch)
	put(&s.Momentum, c.Momentum)
	put(&s.WeightDecay, c.WeightDecay)
	putWord(&s.Schedule, c.Schedule)
	s.Flip = c.Flip
	return nil
}

// regime is how a training goes about its steps, beside its schedule. What is not given is the default.
type regime struct {
	Engine     *string  `help:"What computes the training steps, ${engine}: ort is ONNX Runtime; gorgonia differentiates by itself, which is slower and an independent check." placeholder:"NAME"`
	Optimizer  *string  `help:"Update: ${optimizer}, in PyTorch's forms; sgd has momentum." placeholder:"NAME"`
	WarmUp     *float64 `help:"Share of the steps in which the learning rate rises to its peak, ${warm_up} (default: 0.05)."`
	SpareNorms bool     `help:"Weight decay leaves biases and BatchNormalizations alone."`
	ClipNorm   *float64 `help:"Scale gradients down to this L2 norm over all parameters, ${clip_norm}."`
	Balanced   bool     `help:"Show every class equally often."`
	Patience   *int     `help:"Stop after so many epochs without a lower validation loss, ${patience}, and keep the best epoch. It looks at the split validation where that is not measured on, else at a tenth of the training images, which is held back."`
	Crop       *float64 `help:"Least share of the view's area that random crops keep, their maps cut alike, ${crop}."`
	Seed       *int64   `help:"Seed of order and augmentation (default: 1)."`
}

// fill sets the fields of s that were given.
func (c regime) fill(s *trainer.Settings) {
	putWord(&s.Engine, c.Engine)
	putWord(&s.Optimizer, c.Optimizer)
	put(&s.WarmUp, c.WarmUp)
	put(&s.ClipNorm, c.ClipNorm)
	put(&s.Patience, c.Patience)
	put(&s.Crop, c.Crop)
	put(&s.Seed, c.Seed)
	s.SpareNorms, s.Balanced = c.SpareNorms, c.Balanced
}

// editRepeat is how often an edited image is shown.
type editRepeat struct {
	EditRepeat string `help:"How often an epoch shows an edited image, ${edit_repeat}; auto: as often as it takes that every batch has one." default:"auto" placeholder:"TIMES"`
}

// fill sets the field of s.
func (c editRepeat) fill(s *trainer.Settings) (err error) {
	s.EditRepeat, err = recipe.ParseRepeat(c.EditRepeat)
	return err
}

// put sets a field to what was given, if anything was.
func put[T any](field *T, given *T) {
	if given != nil {
		*field = *given
	}
}

// putWord is put for a setting's word.
func putWord[T ~string](field *T, given *string) {
	if given != nil {
		*field = T(*given)
	}
}

// settings are the defaults with what was given in their place.
func (c *finetuneCommand) settings() (trainer.Settings, error) {
	s := trainer.DefaultSettings()
	if err := c.schedule.fill(&s); err != nil {
		return s, err
	}
	c.regime.fill(&s)
	if err := c.editRepeat.fill(&s); err != nil {
		return s, err
	}
	put(&s.Anchor, c.Anchor)
	put(&s.Gamma, c.Gamma)
	putWord(&s.Strategy, c.Strategy)
	putWord(&s.MapLoss, c.MapLoss)
	putWord(&s.BatchNorm, c.BatchNorm)
	putWord(&s.Rates, c.Rates)
	kind := recipe.FineTuning
	if c.Control {
		kind = recipe.Round
	}
	return s, recipe.Validate(kind, s)
}
