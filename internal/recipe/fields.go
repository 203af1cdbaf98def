package recipe

import (
	"fmt"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/attention"
)

// MaxEpochs bounds the settings that are counted in epochs.
const MaxEpochs = 10_000

// adamWRates are the learning rates that AdamW wants, which are not SGD's: what the trainer's rule gives for the networks of
// docs/training.md.
const adamWRates = "about 0.0003 where BatchNorms are folded away, up to 0.008 where they are kept"

// Fields are all settings, in the order of the form. Bounds are wide, but a typing error such as an extra 0 should be refused before
// it costs hours. The defaults are ours, since our sources do not record the paper's γ. Strategy and γ come from the sweep on the
// demo's Aviary data (docs/aviary.md), with a network whose map has 14×14 cells. The l2 norm grows with the square root of the
// number of cells, so a coarser grid needs a larger γ, or map_weight by_grid.
var Fields = []Field{
	{
		Name: "strategy", Default: StrategyBoth, Group: Taught, OfMaps: true, Label: "Strategy",
		Choices: []Choice{
			{Word: "attention", Label: "Attention branch only", Sentence: "Only where the network looks is changed; how it judges what it sees stays."},
			{Word: "both", Label: "Both branches", Sentence: "The attention branch learns the maps and the perception branch learns to use them.", First: true},
			{Word: "all", Label: "Branches and the end of the extractor", Sentence: "The extractor's last blocks learn too, at a tenth of the rate. Slower; later features are computed anew."},
		},
		API:  "What is updated: the attention branch, both branches, or with them the extractor's last blocks.",
		Help: "What to update: ${strategy}; all is both branches and the extractor's last blocks.", Holder: "NAME",
		Doc: "what is updated: `attention`, `both`, or `all`, both branches and the extractor's last blocks: below", Origin: "the first two are the paper's; the choice is from `docs/aviary.md`",
	},
	{
		Name: "gamma", Type: Number, High: 1e4, Default: 1.0, OfGain: map[attention.Gain]any{attention.GainM: 2.0}, OfHeldBack: true, Group: Taught, OfMaps: true, Label: "γ",
		Sentence: "How much L_map, the distance to people's maps, weighs beside the two cross entropies.",
		API:      "Scale of L_map. Absent: what suits the active version.",
		Help:     "Scale of the map loss, ${gamma}; 0 trains without maps.",
		Doc:      "scale of L_map; 0 trains without maps, which is what the control does", Origin: "ours, `docs/aviary.md`, ADR 34",
	},
	{
		Name: "epochs", Type: Whole, Low: 1, High: MaxEpochs, Default: 6, OfGain: map[attention.Gain]any{attention.GainM: 12}, Group: Taught, Label: "Epochs",
		Sentence: "Passes over the training images; how many suit this network is filled in.",
		API:      "Passes over the training images. Absent: as many as suit the active version's mechanism.",
		Help:     "Times to go through the images, ${epochs}.",
		Doc:      "passes over the training images", Origin: "ADR 28",
	},
	{
		Name: "learning_rate", Type: Number, High: 100, Above: true, Auto: true, Default: 0.02, Group: Taught, Label: "Learning rate",
		Sentence: "At its peak; what suits this network is filled in.",
		API:      "Its peak. Absent: what suits the active version, of SGD; adamw needs one.",
		Flag:     "lr", Help: "Peak learning rate, ${learning_rate}; auto: what suits the network.", Holder: "RATE",
		Doc: "the peak: below", Usual: "by network",
	},
	{
		Name: "map_loss", Default: MapLossL2, Group: Maps, OfMaps: true, Label: "Map loss",
		Choices: []Choice{{Word: "l2", Label: "L2 norm, unsquared (the paper's)", Brief: "L2 norm"}, {Word: "mse", Label: "mean squared error", Brief: "squared error"}, {Word: "l1", Label: "mean absolute error", Brief: "absolute error"},
			{Word: "energy", Label: "attention outside the edited region (energy)", Brief: "energy"}},
		Sentence: "How the distance between a person's map and the model's is measured. Energy asks where attention is, not how much of it.",
		API:      "l2 is the paper's; energy is minus the logarithm of the share of attention inside the edited region.",
		Help:     "Form of the map loss: ${map_loss}.", Holder: "NAME",
		Doc: "`l2` is the paper's unsquared norm over the cells, `mse` and `l1` means over the cells, `energy` −log of the share of attention inside the edited region: below", Origin: "the paper",
	},
	{
		Name: "map_weight", Default: MapWeightNone, Group: Maps, OfMaps: true, Label: "Map weights",
		Choices: []Choice{
			{Word: "none", Label: "none", Silent: true}, {Word: "by_class", Label: "by class"}, {Word: "by_grid", Label: "by the map's grid"},
			{Word: "by_class_and_grid", Label: "by class and grid"},
		},
		Sentence: "By class: every class's edits weigh as much in all, however many it has. By grid: one γ for coarse and fine maps alike, with the L2 norm.",
		API:      "by_class: every class's edits weigh as much in all. by_grid: the norm of l2 is scaled to that of a map of 14×14 cells.",
		Help:     "Weights of the map loss, ${map_weight}: by_class lets every class's edits weigh as much in all, by_grid scales the norm of l2 to that of a map of 14×14 cells.", Holder: "NAME",
		Doc: "`by_class`: every class's edits weigh as much in all; `by_grid`: the norm of `l2` is scaled to that of a map of 14×14 cells: below", Origin: "the paper has none",
	},
	{
		Name: "gamma_search", Type: Switch, Default: false, Group: Maps, OfMaps: true, Label: "γ searched",
		Sentence: fmt.Sprintf("Find γ on validation images: try %s. It takes about as long as one training more", tried("the one above")), Brief: "γ searched",
		API:  "Find γ on validation images: try " + tried("gamma") + ", which takes about as long as one training.",
		Help: "Find γ on validation images: try " + tried("--gamma") + ". It takes about as long as one training more.",
		Doc:  "γ is found on validation images by a short search: below",
	},
	{
		Name: "gamma_avoid", Type: Number, High: 1e4, Default: 1.0, Group: Maps, OfMaps: true, Label: "γ of marks",
		Brief:    "γ of marks ${value}",
		Sentence: "How much the mean attention on cells marked “do not look here” weighs; nothing where no map has such marks.",
		API:      "Scale of the mean attention on cells marked as not to be looked at.",
		Help:     "Scale of the mean attention on cells that maps mark as not to be looked at, ${gamma_avoid}.",
		Doc:      "scale of the mean attention on cells marked *do not look here*: above; the control has 0", Origin: "ours",
	},
	{
		Name: "anchor", Type: Number, High: 1e4, Zero: "none", Default: 0.0, Group: Maps, OfMaps: true, Label: "Anchor",
		Sentence: "Weight that holds the maps of unedited images to what the parent gave them; 0: they may drift.",
		Brief:    "anchor ${value}", None: "no anchor",
		API:  "Scale of L_anchor, which holds the maps of unedited images to the parent's; 0: none.",
		Help: "Scale of the loss that holds the maps of images without an edit to what the model had, ${anchor}.",
		Doc:  "scale of L_anchor, which holds the maps of images without an edit to those the parent had: ADR 8", Origin: "ours, `docs/aviary.md`",
	},
	{
		Name: "batch_size", Type: Whole, Low: 1, High: 4096, Default: 32, Group: Data, Label: "Batch size",
		Sentence: "Images a step.", Brief: "batches of ${value}",
		Flag: "batch", Help: "Images in a batch, ${batch_size}.",
		Doc: "images a step", Origin: "a prototype on Aviary",
	},
	{
		Name: "crop", Type: Number, High: 1, Zero: "no crops", Default: 0.0, Group: Data, Label: "Random crops",
		Sentence: "Least share of the view's area a crop keeps, the map cut with it; 0: none. Every epoch then runs the extractor anew.",
		Brief:    "crops from ${value}",
		API:      "Least share of the area that random crops keep; 0: no crops.",
		Help:     "Least share of the view's area that random crops keep, their maps cut alike, ${crop}.",
		Doc:      "every image is cut at random to at least so much of the view; the map goes with it: below", Origin: "ours, `docs/aviary.md`",
	},
	{
		Name: "patience", Type: Whole, High: MaxEpochs, Zero: "to the end", Default: 0, Group: Data, Label: "Stop early after",
		Sentence: "Epochs without a better validation, the best state kept; 0: it goes to the end.",
		Brief:    "stops early after ${value}",
		API:      "Epochs without a better validation before it stops with its best state; 0: never.",
		Help: "Stop after so many epochs without a lower validation loss, ${patience}, and keep the best epoch. It looks at the split validation where that is not measured on, " +
			"else at a tenth of the training images, which is held back.",
		Doc: "early stopping: below",
	},
	{
		Name: "seed", Type: Any, Default: int64(1), Group: Data, Label: "Seed",
		Sentence: "Same seed, same round.", Brief: "seed ${value}",
		Help: "Seed of order and augmentation.",
		Doc:  "order, augmentation, what is held back",
	},
	{
		Name: "flip", Type: Switch, Default: false, Group: Data, Label: "Flips",
		Sentence: "Flip images at random, maps with them", Brief: "flips",
		API:  "Horizontal flips, the map flipped too.",
		Help: "Mirror images at random, their maps too.",
		Doc:  "mirror images with probability ½; the map goes with the image: below", Origin: "ours, `docs/aviary.md`",
	},
	{
		Name: "balanced", Type: Switch, Default: false, Group: Data, Label: "Classes balanced",
		Sentence: "Show every class equally often", Brief: "classes balanced",
		API:  "Every class equally often.",
		Help: "Show every class equally often.",
		Doc:  "an epoch shows every class equally often: above",
	},
	{
		Name: "refit", Type: Switch, Default: false, Group: Data, OfMaps: true, Label: "Last layer refitted",
		Sentence: "Fit the last layer anew at the end", Brief: "last layer refitted",
		API:  "The perception branch's last layer is fitted anew at the end, in both arms.",
		Help: "Fit the last layer of the perception branch anew at the end; with the strategy both.",
		Doc:  "the last layer of the perception branch is fitted anew at the end, on the training images: below",
	},
	{
		Name: "optimizer", Default: OptimizerSGD, Group: Optimiser, Label: "Optimiser",
		Choices:  []Choice{{Word: "sgd", Label: "SGD with momentum", Brief: "SGD"}, {Word: "nesterov", Label: "SGD with Nesterov's momentum", Brief: "Nesterov SGD"}, {Word: "adamw", Label: "AdamW"}},
		Sentence: fmt.Sprintf("AdamW wants another learning rate: %s.", adamWRates),
		Help:     "Update: ${optimizer}, in PyTorch's forms; sgd has momentum.", Holder: "NAME",
		Doc: "`sgd` with momentum, `nesterov`, `adamw`: below",
	},
	{
		Name: "rates", Default: RatesByLayer, Group: Optimiser, OfMaps: true, Label: "Rates",
		Choices:  []Choice{{Word: "one", Label: "one for all layers", Brief: "one rate for all layers"}, {Word: "by_layer", Label: "by layer", First: true, Silent: true}},
		Sentence: "By layer: where BatchNorms are folded away, the layers that make the map's features learn at a tenth, or its pull would ruin them.",
		API:      "Whether all layers learn at one rate, or an attention branch whose BatchNorms are folded away at less.",
		Help:     "Learning rates, ${rates}: the same for all layers, or lower for an attention branch whose BatchNormalizations are folded away.", Holder: "NAME",
		Doc: "one learning rate for all layers, or a tenth of it for the body of an attention branch whose BatchNorms are folded away: below", Origin: "ADR 20",
	},
	{
		Name: "blocks", Type: Whole, Low: 1, High: 1000, Default: usualBlocks, Group: Optimiser, OfMaps: true, Label: "Extractor's last blocks",
		Sentence: "How many of them learn with the strategy all.", Brief: "the extractor's last ${value}",
		Idle: func(s Settings) bool { return s.Strategy != StrategyAll },
		API:  "How many of the extractor's last blocks learn with the strategy all. A block is a stretch with weights between two values through which everything passes.",
		Help: "How many of the extractor's last blocks learn with --strategy all, ${blocks}.", Holder: "N",
		Doc: "how many of the extractor's last blocks learn with the strategy `all`: below", Origin: "ours",
	},
	{
		Name: "momentum", Type: Number, High: 0.9999, Default: 0.9, Group: Optimiser, Label: "Momentum",
		Sentence: "Of SGD; AdamW has its own.", Brief: "momentum ${value}",
		Idle: func(s Settings) bool { return s.Optimizer == OptimizerAdamW },
		Help: "Momentum, ${momentum}.",
		Doc:  "of `sgd` and `nesterov`", Origin: "common use",
	},
	{
		Name: "schedule", Default: ScheduleCosine, Group: Optimiser, Label: "Schedule",
		Choices:  []Choice{{Word: "cosine", Label: "cosine, to zero", Brief: "cosine"}, {Word: "step", Label: "÷10 at half and three quarters", Brief: "step"}, {Word: "constant", Label: "constant"}},
		Sentence: "How the learning rate falls.",
		Help:     "How the learning rate moves: ${schedule}.", Holder: "NAME",
		Doc: "`cosine`: half a cosine down to 0; `step`: a tenth from half of the run on, a hundredth from three quarters on; `constant`",
	},
	{
		Name: "warm_up", Type: Number, High: 0.9, Default: 0.05, Group: Optimiser, Label: "Warm-up",
		Sentence: "Share of the steps in which the learning rate rises to its peak.",
		Brief:    "warm-up ${value}",
		API:      "Share of the steps in which the learning rate rises to its peak.",
		Help:     "Share of the steps in which the learning rate rises to its peak, ${warm_up}.",
		Doc:      "share of the run's steps in which the rate rises linearly to its peak, with every schedule",
	},
	{
		Name: "weight_decay", Type: Number, High: 1, Default: 1e-4, Group: Optimiser, Label: "Weight decay",
		Sentence: "Pull towards zero.", Brief: "decay ${value}",
		Help: "Weight decay, ${weight_decay}.",
		Doc:  "as PyTorch adds it: to the gradient with SGD, decoupled with AdamW", Origin: "common use", Usual: "1e-4",
	},
	{
		Name: "clip_norm", Type: Number, High: 1e6, Zero: "never", Default: 0.0, Group: Optimiser, Label: "Clip norm",
		Sentence: "Gradients are scaled down to this L2 norm; 0: never.",
		Brief:    "clipped at ${value}",
		API:      "Gradients are scaled down to this L2 norm; 0: never.",
		Help:     "Scale gradients down to this L2 norm over all parameters, ${clip_norm}.",
		Doc:      "gradients are scaled down to this L2 norm over all trained parameters",
	},
	{
		Name: "batch_norm", Default: BatchNormBatch, Group: Optimiser, OfMaps: true, Label: "Batch normalisation",
		Choices:  []Choice{{Word: "frozen", Label: "statistics frozen", Brief: "BatchNorm frozen"}, {Word: "batch", Label: "statistics of each batch", Brief: "BatchNorm by batch"}},
		Sentence: "Where the graph has kept its BatchNorm.",
		API:      "Whose statistics a kept BatchNorm uses.",
		Help:     "Statistics of BatchNormalizations: ${batch_norm}.", Holder: "NAME",
		Doc:    "BatchNormalizations of trained branches use the batch's statistics, and the running ones follow (`batch`), or the running ones, left alone (`frozen`)",
		Origin: "PyTorch's training mode",
	},
	{
		Name: "spare_norms", Type: Switch, Default: false, Group: Optimiser, Label: "Norms spared",
		Sentence: "Weight decay spares biases and BatchNorms", Brief: "norms spared",
		API:  "Weight decay leaves biases and BatchNorms alone.",
		Help: "Weight decay leaves biases and BatchNormalizations alone.",
		Doc:  "tensors of one axis (biases, scales and shifts of BatchNormalizations) get no decay",
	},
	{
		Name: "engine", Default: EngineORT, Group: Computing, Label: "Engine",
		Choices: []Choice{
			{Word: "ort", Label: "ONNX Runtime", Sentence: "The step is an ONNX graph on the runtime that also predicts: the fast one."},
			{Word: "gorgonia", Label: "Gorgonia", Sentence: "A slower second opinion: the same step by an independent implementation. Choose it to check a result, not to get one sooner."},
		},
		API:  "gorgonia is a slower second opinion; training of GET …/rounds/defaults says what it lacks.",
		Help: "What computes the training steps, ${engine}: ort is ONNX Runtime; gorgonia differentiates by itself, which is slower and an independent check.", Holder: "NAME",
		Doc: "what computes the steps: `ort` (ONNX Runtime) or `gorgonia` (slower, an independent implementation)",
	},
	{
		Name: "edit_repeat", Type: Whole, Low: 1, High: 1000, Auto: true, Default: AutoRepeat, OfMaps: true, Label: "Repeats of an edit",
		Help: "How often an epoch shows an edited image, ${edit_repeat}; auto: as often as it takes that every batch has one.", Holder: "TIMES",
		Doc: "how often an epoch shows an edited image: above", Usual: "automatic",
	},
	{
		Name: "arms", Type: Several, Default: arms.Set(0), Group: Compared, OfMaps: true, Label: "Beside the control",
		Choices:  armChoices(),
		Sentence: "Other networks that the maps are compared with.", Brief: "also ${value}", None: "the control",
		API:  "Networks that are judged beside candidate and control. control_refit and candidate_refit go together.",
		Help: "Networks to judge beside candidate and control, apart by commas: ${arms}.", Holder: "ARMS",
		Doc: "networks that are judged beside candidate and control: below",
	},
	{
		Name: "seeds", Type: Whole, Low: 1, High: 5, Default: Seeds(1), Group: Compared, OfMaps: true, Label: "Seeds",
		Sentence: "How often each training is done, each time with the next seed.", Brief: "seeds: ${value}",
		API:  "How often each training is done, each time with the next seed; intervals then cover seeds too.",
		Help: "How often each training is done, each time with the next seed, ${seeds}; intervals then cover seeds too.", Holder: "N",
		Doc: "how often each training is done, each time with the next seed: below",
	},
	{
		Name: "perturbed", Type: Whole, High: 1e5, Zero: "none", Default: 0, Group: Compared, OfMaps: true, Label: "Deletion and insertion",
		Sentence: "On so many held-out images. Each takes every network two passes for each row of its pixels: 100 images may take longer than the training.", Brief: "deletion and insertion on ${value}",
		API:  "How many held-out images deletion and insertion are taken of; each takes every network two passes for each row of its pixels.",
		Help: "Take deletion and insertion of so many held-out images, ${perturbed}; each takes every network two passes for each row of its pixels.", Holder: "N",
		Doc: "how many held-out images deletion and insertion are taken of, evenly spread ([Measures](measures.md)); each takes every network two passes for each row of its pixels",
	},
}

// armChoices are the arms that a round may be asked for.
func armChoices() (list []Choice) {
	for _, arm := range arms.Asked() {
		k := arms.Of(arm)
		list = append(list, Choice{Word: string(arm), Label: k.Label, Brief: k.Words})
	}
	return list
}
