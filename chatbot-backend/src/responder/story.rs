//! The story that the bot tells. It is long enough to interrupt and restore a connection meanwhile.

/// The paragraphs of the story.
pub(super) const STORY: [&str; 6] = [
    "In a town by the sea there was a switchboard, and at the switchboard sat Ada, who knew every line of it by its sound. When the \
     baker rang the mill, it clicked like a beetle; when the harbour rang the lighthouse, it hummed.",
    "One night a storm took the long cable down, just as the lighthouse keeper was dictating the positions of eleven ships to the \
     harbour. He had come to the fourth when the line went dead. In the harbour the clerk held his pencil in the air and did not know \
     whether there was a fifth.",
    "Ada did not know either. But she had made a habit of writing down a number for each thing that went through her board: one, two, \
     three, four. So she sent a boy along the shore to the lighthouse with a note. It said: the harbour has four, begin with five.",
    "The keeper laughed when he read it, since he had been about to begin again with one, louder. He gave the boy seven positions on a \
     sheet of paper, numbered five to eleven, and the boy ran back through the rain.",
    "Halfway he met the engineer, who had mended the cable with a borrowed rope, and the keeper, who could not wait, was calling out \
     number nine already. Ada wrote it on a slip and laid it aside. She waited for the boy with five to eight, read these to the clerk \
     first, then nine, and then let the line go on with ten.",
    "All eleven ships came home. The clerk never noticed that anything had happened, apart from a pause in which his pencil had been in \
     the air. And that, said Ada, is all that I want to be praised for.",
];
