//! What a session is made of, kept with it: a session that is brought back is what it was, whatever became of its template.
use std::sync::Arc;

use model::{ErrorCode, Grant, LibraryName, ModuleName, Settings};
use sandbox::Recipe as ImageRecipe;
use serde::{Deserialize, Serialize};
use store::{Recipe, WholeTemplate};

use crate::fault::Fault;

/// What a session is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Made {
    /// The image's hash.
    pub(crate) image: String,
    pub(crate) modules: Vec<ModuleName>,
    pub(crate) grants: Vec<Grant>,
    /// In the order in which they were evaluated. Their text is in the image.
    pub(crate) libraries: Vec<LibraryName>,
    pub(crate) settings: Settings,
}

impl Made {
    pub(crate) fn of(whole: &WholeTemplate, image: String) -> Made {
        let WholeTemplate { template, settings, grants, .. } = whole;
        Made {
            image,
            modules: template.exposed_modules.clone(),
            grants: grants.clone(),
            libraries: template.libraries.clone(),
            settings: settings.clone(),
        }
    }

    /// As it is stored: once for all sessions that are made alike.
    pub(crate) fn recipe(&self) -> Result<Arc<Recipe>, Fault> {
        let body = serde_json::to_string(self).map_err(Fault::internal)?;
        let hash = *blake3::hash(body.as_bytes()).as_bytes();
        Ok(Arc::new(Recipe { hash, image: self.image.clone(), body }))
    }

    /// What is stored may have been damaged.
    pub(crate) fn read(recipe: &Recipe) -> Result<Made, Fault> {
        if *blake3::hash(recipe.body.as_bytes()).as_bytes() != recipe.hash {
            let message = "The session can't be brought back: what it is made of was changed";
            return Err(Fault::new(ErrorCode::SessionDamaged, message));
        }
        serde_json::from_str(&recipe.body).map_err(Fault::internal)
    }

    /// What would make its image again, given the libraries' texts.
    pub(crate) fn image_recipe(&self, libraries: Vec<sandbox::Library>) -> ImageRecipe {
        ImageRecipe { modules: self.modules.clone(), libraries }
    }
}
