package recipe

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/abn-studio/studio/internal/arms"
)

// Settings is all that a training depends on besides its data. Zero values are used as they are, so start from Defaults. The order
// of the fields is the order of the JSON in a model's metadata and in the hash that identifies a run: do not change it.
type Settings struct {
	Engine   Engine   `json:"engine"`
	Strategy Strategy `json:"strategy"`
	Gamma    float64  `json:"gamma"` // scale of L_map, ≥ 0
	// GammaSearch tries GammasTried before the training, which then has the best of them as its Gamma.
	GammaSearch bool    `json:"gamma_search"`
	MapLoss     MapLoss `json:"map_loss"`
	// MapWeight says what L_map is weighted by. Records from before it have none.
	MapWeight MapWeight `json:"map_weight"`
	// GammaAvoid is γ_n, the scale of the part of L_map that keeps attention away from cells that people marked as not to be looked
	// at, ≥ 0.
	GammaAvoid float64 `json:"gamma_avoid"`
	// Anchor is the scale of L_anchor, ≥ 0: the same distance as L_map (with energy, that of l2), between the maps of the batch's
	// unedited images and the maps that the parent gave them. It keeps attention from drifting on images that no one edited. 0: none.
	Anchor       float64   `json:"anchor"`
	BatchNorm    BatchNorm `json:"batch_norm"`
	Epochs       int       `json:"epochs"`
	BatchSize    int       `json:"batch_size"`
	LearningRate float64   `json:"learning_rate"` // peak
	Rates        Rates     `json:"rates"`
	Optimizer    Optimizer `json:"optimizer"`
	Momentum     float64   `json:"momentum"` // PyTorch's form: buf = momentum·buf + grad; p −= lr·buf; unused by AdamW
	WeightDecay  float64   `json:"weight_decay"`
	SpareNorms   bool      `json:"spare_norms"` // weight decay leaves biases and BatchNorms alone (tensors of one axis)
	ClipNorm     float64   `json:"clip_norm"`   // gradients are scaled down to this L2 norm over all parameters; 0: never
	Schedule     Schedule  `json:"schedule"`
	WarmUp       float64   `json:"warm_up"`  // share of the run's steps in which the rate rises linearly to its peak
	Balanced     bool      `json:"balanced"` // an epoch shows every class equally often
	Patience     int       `json:"patience"` // epochs without a better validation after which the run stops, with its best state; 0: it runs to the end
	// Refit fits the last layer of the perception branch anew at the end, on the training images (package trainer/refit).
	Refit bool `json:"refit"`
	Flip  bool `json:"flip"` // horizontal flips with probability ½, the map flipped too
	// Crop is the least share of the view's area that a random resized crop keeps, the map cut and resized with it; 0: no
	// crops. Features are then computed anew every epoch.
	Crop float64 `json:"crop"`
	Seed int64   `json:"seed"`
	// EditRepeat is how often an epoch shows each edited image. Rounds of a project leave it to the studio, so that neither their
	// record nor the API has it.
	EditRepeat Repeat `json:"edit_repeat,omitzero" hidden:"true"`
	// Arms are trained and judged beside candidate and control, and Seeds is how often each training is done, with the seeds Seed,
	// Seed+1, …. Neither changes what any single training does.
	Arms  arms.Set `json:"arms,omitzero"`
	Seeds Seeds    `json:"seeds,omitzero"`
	// Blocks is how many of the extractor's last blocks learn under StrategyAll (onnx.ABN.CutEarlier).
	Blocks Blocks `json:"blocks,omitzero"`
	// Perturbed is how many held-out images deletion and insertion are taken of. It changes no training.
	Perturbed int `json:"perturbed,omitzero"`
}

// OfSeed are the settings of one of the round's trainings, the nth of the same arm from 0: those of a round with that training alone.
func (s Settings) OfSeed(n int) Settings {
	s.Seed, s.Seeds, s.Arms, s.Perturbed = s.Seed+int64(n), 1, 0, 0
	return s
}

// Seeds is how often each training of a round is done.
type Seeds int

// IsZero reports whether it is done once: the JSON then leaves it out.
func (n Seeds) IsZero() bool { return n == 1 }

// Blocks is a number of blocks of an extractor.
type Blocks int

// usualBlocks are those that learn where nothing else is said.
const usualBlocks Blocks = 2

// IsZero reports whether they are the usual ones: the JSON then leaves them out.
func (n Blocks) IsZero() bool { return n == usualBlocks }

// UnmarshalJSON keeps the value of a setting that data lacks. An EditRepeat that neither s nor data sets is AutoRepeat, a MapWeight
// MapWeightNone, Seeds are 1, and Blocks the usual ones.
func (s *Settings) UnmarshalJSON(data []byte) error {
	type plain Settings
	p := plain(*s)
	if p.EditRepeat == 0 {
		p.EditRepeat = AutoRepeat
	}
	p.MapWeight = cmp.Or(p.MapWeight, MapWeightNone)
	if p.Seeds == 0 {
		p.Seeds = 1
	}
	if p.Blocks == 0 {
		p.Blocks = usualBlocks
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	*s = Settings(p)
	return nil
}

// triedGammas are what γ is multiplied by in a search, triedEpochs the share of the epochs that each try takes, as its inverse.
var triedGammas = []float64{0.3, 1, 3}

const triedEpochs = 3

// tried says so of a search, on the form and elsewhere: by is what the γs are multiples of.
func tried(by string) string {
	times := make([]string, len(triedGammas))
	for i, g := range triedGammas {
		times[i] = strconv.FormatFloat(g, 'g', -1, 64)
	}
	last := len(times) - 1
	return fmt.Sprintf("%s and %s times %s first, each for 1/%s of the epochs", strings.Join(times[:last], ", "), times[last], by, strconv.Itoa(triedEpochs))
}

// GammasTried are the γs of a search, as far as they are in bounds.
func (s Settings) GammasTried() (tried []float64) {
	for _, by := range triedGammas {
		// 0.3·3 is 0.8999999999999999, which nobody wants to read.
		gamma, err := strconv.ParseFloat(strconv.FormatFloat(by*s.Gamma, 'g', 6, 64), 64)
		if err == nil && Refusal("gamma", gamma) == nil {
			tried = append(tried, gamma)
		}
	}
	return tried
}

// Tried are the settings of one try of a search: the whole training with another γ, in a third of its epochs.
func (s Settings) Tried(gamma float64) Settings {
	s.Gamma, s.GammaSearch, s.Patience, s.Refit = gamma, false, 0, false
	s.Epochs = (s.Epochs + triedEpochs - 1) / triedEpochs
	return s
}

// Strategy says what a fine-tuning updates: one or both branches (Mitsuhara et al., section 3.3), or with them the end of the
// extractor. StrategyScratch, for training from images and labels, updates everything.
type Strategy string

// The strategies.
const (
	StrategyAttention Strategy = "attention" // the attention branch; L_per still sends its gradient through M
	StrategyBoth      Strategy = "both"      // attention and perception branch
	StrategyAll       Strategy = "all"       // and the extractor's last Settings.Blocks, at a tenth of the rate; ours
	StrategyScratch   Strategy = "scratch"   // the extractor too; only for a Training
)

// TeachesPerception reports whether the perception branch is updated.
func (s Strategy) TeachesPerception() bool { return s != StrategyAttention }

// MapLoss names the form of L_map.
type MapLoss string

// The forms: the paper's unsquared L2 norm over the cells, the mean over the cells of squared
// differences, the mean of absolute ones, and −log of the share of attention inside the edited region (energy, after Rao et al.,
// arXiv 2303.11932); each averaged over the batch's edited rows.
const (
	MapLossL2     MapLoss = "l2"
	MapLossMSE    MapLoss = "mse"
	MapLossL1     MapLoss = "l1"
	MapLossEnergy MapLoss = "energy"
)

// MapWeight names a weighted form of L_map.
type MapWeight string

// The weights: none, which is the paper's form; of an edited row, by the number of edits of its class; of the l2 norm, by the number of
// the map's cells; both.
const (
	MapWeightNone         MapWeight = "none"
	MapWeightClass        MapWeight = "by_class"
	MapWeightGrid         MapWeight = "by_grid"
	MapWeightClassAndGrid MapWeight = "by_class_and_grid"
)

// ByClass reports whether an edited row's share in L_map goes by the number of edits of its class.
func (w MapWeight) ByClass() bool { return w == MapWeightClass || w == MapWeightClassAndGrid }

// ByGrid reports whether the l2 norm is scaled by the number of cells.
func (w MapWeight) ByGrid() bool { return w == MapWeightGrid || w == MapWeightClassAndGrid }

// BatchNorm says how a kept BatchNormalization of a trained branch is treated.
type BatchNorm string

// With frozen statistics scale and shift are trained and the running statistics used and left alone;
// with batch statistics the batch's own are used and the running ones follow them (momentum 0.1,
// unbiased variance, as PyTorch does). BatchNorms of branches that are not trained are always frozen.
const (
	BatchNormFrozen BatchNorm = "frozen"
	BatchNormBatch  BatchNorm = "batch"
)

// Schedule names how the learning rate moves over a run.
type Schedule string

// The schedules, each after a linear warm-up over the share WarmUp of the run: one half cosine from the peak to zero; ÷10 at
// half and at three quarters of the run; constant.
const (
	ScheduleCosine   Schedule = "cosine"
	ScheduleStep     Schedule = "step"
	ScheduleConstant Schedule = "constant"
)

// Rates says whether all layers learn at one rate.
type Rates string

// The rates: the learning rate for every layer; or a lower one for the body of an attention branch where its BatchNorms are
// folded away.
const (
	RatesOne     Rates = "one"
	RatesByLayer Rates = "by_layer"
)

// Engine names what computes the training steps.
type Engine string

// The engines: the step as one ONNX graph on ONNX Runtime, and the same step by Gorgonia's own
// automatic differentiation, slower, an independent check that needs no runtime library.
const (
	EngineORT      Engine = "ort"
	EngineGorgonia Engine = "gorgonia"
)

// Optimizer names the update; each is PyTorch's form.
type Optimizer string

// The optimizers.
const (
	OptimizerSGD      Optimizer = "sgd"      // with momentum
	OptimizerNesterov Optimizer = "nesterov" // SGD with Nesterov's momentum
	OptimizerAdamW    Optimizer = "adamw"    // decoupled weight decay; β₁ 0.9, β₂ 0.999, ε 1e-8
)

// Repeat is the number of times an epoch shows an edited image: 1 to 1000, or AutoRepeat.
type Repeat int

// AutoRepeat shows edited images as often as it takes for every batch to have one, if that is possible within the bound of Repeat.
const AutoRepeat Repeat = -1

// IsZero reports whether the number is AutoRepeat: the JSON then leaves it out.
func (r Repeat) IsZero() bool { return r == AutoRepeat }

// MarshalJSON writes a number, or "auto".
func (r Repeat) MarshalJSON() ([]byte, error) {
	if r == AutoRepeat {
		return strconv.AppendQuote(nil, Auto), nil
	}
	return strconv.AppendInt(nil, int64(r), 10), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Repeat) UnmarshalJSON(data []byte) (err error) {
	*r, err = ParseRepeat(strings.Trim(string(data), `"`))
	return err
}

// ParseRepeat reads a number or auto.
func ParseRepeat(text string) (Repeat, error) {
	if text == Auto {
		return AutoRepeat, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n == int(AutoRepeat) {
		return 0, refuse("edit_repeat", strconv.Quote(text))
	}
	return Repeat(n), nil
}
