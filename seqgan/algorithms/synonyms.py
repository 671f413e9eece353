"""What other programs call our options: the code of Yu et al. (2017), and transformers. An error names ours."""

RATES, EPOCHS, SIZES = "--mle-lr, --g-lr and --d-lr", "--mle-epochs", "--batch-size, --g-batch-size and --d-batch-size"
SYNONYMS = {
    # Yu et al. (2017)
    "emb_dim": "--embedding-dim",
    "seq_length": "--max-length",
    "pre_epoch_num": EPOCHS,
    "total_batch": "--iterations",
    "rollout_num": "--rollouts",
    "generated_num": "--d-samples",
    "positive_file": "--corpus",
    "dis_embedding_dim": "--d-embedding-dim",
    "dis_filter_sizes": "--filter-sizes",
    "dis_num_filters": "--num-filters",
    "dis_dropout_keep_prob": "--d-dropout, the share that is dropped",
    "dis_l2_reg_lambda": "--d-l2",
    "dis_batch_size": "--d-batch-size",
    # transformers
    **dict.fromkeys(("learning_rate", "lr"), RATES),
    **dict.fromkeys(("num_train_epochs", "epochs"), f"{EPOCHS}, and --iterations for the adversarial phase"),
    "per_device_train_batch_size": SIZES,
    "max_seq_length": "--max-length",
    "early_stopping_patience": "--mle-patience",
    **dict.fromkeys(("train_file", "dataset_name"), "--corpus"),
    "validation_file": "--valid",
    "test_file": "--test",
    "output_dir": "--run-dir",
    "overwrite_output_dir": "--overwrite",
    "resume_from_checkpoint": "--resume",
    "model_name_or_path": "--init-from",
    "save_total_limit": "--keep",
    "no_cuda": "--device cpu",
    "do_sample": "--temperature, --top-k and --top-p; texts are sampled, but for seqgan generate --temperature 0",
    "max_new_tokens": "--max-length, of training: no text is longer",
    "num_beams": "--beams of seqgan generate",
}


def synonym(name: str) -> str:
    """`; here it is --mle-lr ...` for an error message, of an option by its name or of an argument; else nothing."""
    ours = SYNONYMS.get(name.lstrip("-").replace("-", "_").lower())
    return f"; here it is {ours}" if ours else ""
