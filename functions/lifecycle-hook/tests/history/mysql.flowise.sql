-- migration 1693840429259-Init
CREATE TABLE IF NOT EXISTS `chat_flow` (
                `id` varchar(36) NOT NULL,
                `name` varchar(255) NOT NULL,
                `flowData` text NOT NULL,
                `deployed` tinyint DEFAULT NULL,
                `isPublic` tinyint DEFAULT NULL,
                `apikeyid` varchar(255) DEFAULT NULL,
                `chatbotConfig` varchar(255) DEFAULT NULL,
                `createdDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                `updatedDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                PRIMARY KEY (`id`)
              ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;
CREATE TABLE IF NOT EXISTS `chat_message` (
                `id` varchar(36) NOT NULL,
                `role` varchar(255) NOT NULL,
                `chatflowid` varchar(255) NOT NULL,
                `content` text NOT NULL,
                `sourceDocuments` varchar(255) DEFAULT NULL,
                `createdDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                PRIMARY KEY (`id`),
                KEY `IDX_e574527322272fd838f4f0f3d3` (`chatflowid`)
              ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;
CREATE TABLE IF NOT EXISTS `credential` (
                `id` varchar(36) NOT NULL,
                `name` varchar(255) NOT NULL,
                `credentialName` varchar(255) NOT NULL,
                `encryptedData` varchar(255) NOT NULL,
                `createdDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                `updatedDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                PRIMARY KEY (`id`)
              ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;
CREATE TABLE IF NOT EXISTS `tool` (
                `id` varchar(36) NOT NULL,
                `name` varchar(255) NOT NULL,
                `description` text NOT NULL,
                `color` varchar(255) NOT NULL,
                `iconSrc` varchar(255) DEFAULT NULL,
                `schema` varchar(255) DEFAULT NULL,
                `func` varchar(255) DEFAULT NULL,
                `createdDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                `updatedDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                PRIMARY KEY (`id`)
              ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;

-- migration 1693997791471-ModifyChatFlow
ALTER TABLE `chat_flow` MODIFY `chatbotConfig` TEXT;

-- migration 1693999022236-ModifyChatMessage
ALTER TABLE `chat_message` MODIFY `sourceDocuments` TEXT;

-- migration 1693999261583-ModifyCredential
ALTER TABLE `credential` MODIFY `encryptedData` TEXT NOT NULL;

-- migration 1694001465232-ModifyTool
ALTER TABLE `tool` MODIFY `schema` TEXT, MODIFY `func` TEXT;

-- migration 1694099200729-AddApiConfig
ALTER TABLE `chat_flow` ADD COLUMN `apiConfig` TEXT;

-- migration 1694432361423-AddAnalytic
ALTER TABLE `chat_flow` ADD COLUMN `analytic` TEXT;

-- migration 1694658767766-AddChatHistory
ALTER TABLE `chat_message` ADD COLUMN `chatType` VARCHAR(255) NOT NULL DEFAULT 'INTERNAL';
ALTER TABLE `chat_message` ADD COLUMN `chatId` VARCHAR(255);
WITH RankedMessages AS (
                SELECT
                    `chatflowid`,
                    `id`,
                    `createdDate`,
                    ROW_NUMBER() OVER (PARTITION BY `chatflowid` ORDER BY `createdDate`) AS row_num
                FROM `chat_message`
            )
            SELECT `chatflowid`, `id`
            FROM RankedMessages
            WHERE row_num = 1;
UPDATE `chat_message` SET `chatId` = '${chatMessage.id}' WHERE `chatflowid` = '${chatMessage.chatflowid}';
ALTER TABLE `chat_message` MODIFY `chatId` VARCHAR(255) NOT NULL;
ALTER TABLE `chat_message` ADD COLUMN `memoryType` VARCHAR(255);
ALTER TABLE `chat_message` ADD COLUMN `sessionId` VARCHAR(255);

-- migration 1699325775451-AddAssistantEntity
CREATE TABLE IF NOT EXISTS `assistant` (
                `id` varchar(36) NOT NULL,
                `credential` varchar(255) NOT NULL,
                `details` text NOT NULL,
                `iconSrc` varchar(255) DEFAULT NULL,
                `createdDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                `updatedDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                PRIMARY KEY (`id`)
              ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;

-- migration 1699481607341-AddUsedToolsToChatMessage
ALTER TABLE `chat_message` ADD COLUMN `usedTools` TEXT;

-- migration 1699900910291-AddCategoryToChatFlow
ALTER TABLE `chat_flow` ADD COLUMN `category` TEXT;

-- migration 1700271021237-AddFileAnnotationsToChatMessage
ALTER TABLE `chat_message` ADD COLUMN `fileAnnotations` TEXT;

-- migration 1701788586491-AddFileUploadsToChatMessage
ALTER TABLE `chat_message` ADD COLUMN `fileUploads` TEXT;

-- migration 1702200925471-AddVariableEntity
CREATE TABLE IF NOT EXISTS `variable` (
                `id` varchar(36) NOT NULL,
                `name` varchar(255) NOT NULL,
                `value` text NOT NULL,
                `type` varchar(255) DEFAULT NULL,
                `createdDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                `updatedDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                PRIMARY KEY (`id`)
              ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;

-- migration 1706364937060-AddSpeechToText
ALTER TABLE `chat_flow` ADD COLUMN `speechToText` TEXT;

-- migration 1707213626553-AddFeedback
CREATE TABLE IF NOT EXISTS `chat_message_feedback` (
                `id` varchar(36) NOT NULL,
                `chatflowid` varchar(255) NOT NULL,
                `content` text,
                `chatId` varchar(255) NOT NULL,
                `messageId` varchar(255) NOT NULL,
                `rating` varchar(255) NOT NULL,
                `createdDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                PRIMARY KEY (`id`)
              ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;

-- migration 1709814301358-AddUpsertHistoryEntity
CREATE TABLE IF NOT EXISTS `upsert_history` (
                `id` varchar(36) NOT NULL,
                `chatflowid` varchar(255) NOT NULL,
                `result` text NOT NULL,
                `flowData` text NOT NULL,
                `date` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                PRIMARY KEY (`id`),
                KEY `IDX_a0b59fd66f6e48d2b198123cb6` (`chatflowid`)
              ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;

-- migration 1710832127079-AddLead
CREATE TABLE IF NOT EXISTS `lead` (
                `id` varchar(36) NOT NULL,
                `chatflowid` varchar(255) NOT NULL,
                `chatId` varchar(255) NOT NULL,
                `name` text,
                `email` text,
                `phone` text,
                `createdDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                PRIMARY KEY (`id`)
              ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;

-- migration 1711538023578-AddLeadToChatMessage
ALTER TABLE `chat_message` ADD COLUMN `leadEmail` TEXT;

-- migration 1711637331047-AddDocumentStore
CREATE TABLE IF NOT EXISTS `document_store` (
                `id` varchar(36) NOT NULL,
                `name` varchar(255) NOT NULL,
                `description` varchar(255),
                `loaders` text,
                `whereUsed` text,
                `status` varchar(20) NOT NULL,
                `createdDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                `updatedDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                PRIMARY KEY (`id`)
              ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;
CREATE TABLE IF NOT EXISTS `document_store_file_chunk` (
                `id` varchar(36) NOT NULL,
                `docId` varchar(36) NOT NULL,
                `storeId` varchar(36) NOT NULL,
                `chunkNo` INT NOT NULL,
                `pageContent` text,
                `metadata` text,
                PRIMARY KEY (`id`),
                KEY `IDX_e76bae1780b77e56aab1h2asd4` (`docId`),
                KEY `IDX_e213b811b01405a42309a6a410` (`storeId`)
              ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;

-- migration 1714679514451-AddAgentReasoningToChatMessage
ALTER TABLE `chat_message` ADD COLUMN `agentReasoning` LONGTEXT;

-- migration 1715861032479-AddVectorStoreConfigToDocStore
ALTER TABLE `document_store` ADD COLUMN `vectorStoreConfig` TEXT;
ALTER TABLE `document_store` ADD COLUMN `embeddingConfig` TEXT;
ALTER TABLE `document_store` ADD COLUMN `recordManagerConfig` TEXT;

-- migration 1716300000000-AddTypeToChatFlow
ALTER TABLE `chat_flow` ADD COLUMN `type` TEXT;

-- migration 1720230151480-AddApiKey
CREATE TABLE IF NOT EXISTS `apikey` (
                `id` varchar(36) NOT NULL,
                `apiKey` varchar(255) NOT NULL,
                `apiSecret` varchar(255) NOT NULL,
                `keyName` varchar(255) NOT NULL,
                `updatedDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                PRIMARY KEY (`id`)
              ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;

-- migration 1721078251523-AddActionToChatMessage
ALTER TABLE `chat_message` ADD COLUMN `action` LONGTEXT;

-- migration 1722301395521-LongTextColumn
ALTER TABLE `chat_flow` MODIFY `flowData` LONGTEXT;
ALTER TABLE `chat_message` MODIFY `content` LONGTEXT;
ALTER TABLE `chat_message` MODIFY `usedTools` LONGTEXT;
ALTER TABLE `document_store` MODIFY `loaders` LONGTEXT;
ALTER TABLE `upsert_history` MODIFY `flowData` LONGTEXT;

-- migration 1725629836652-AddCustomTemplate
CREATE TABLE IF NOT EXISTS `custom_template` (
                `id` varchar(36) NOT NULL,
                `name` varchar(255) NOT NULL,
                `flowData` text NOT NULL,
                `description` varchar(255) DEFAULT NULL,
                `badge` varchar(255) DEFAULT NULL,
                `framework` varchar(255) DEFAULT NULL,
                `usecases` varchar(255) DEFAULT NULL,
                `type` varchar(30) DEFAULT NULL,
                `createdDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
                `updatedDate` datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
                PRIMARY KEY (`id`)
              ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;

-- migration 1726156258465-AddArtifactsToChatMessage
ALTER TABLE `chat_message` ADD COLUMN `artifacts` LONGTEXT;

-- migration 1726666302024-AddFollowUpPrompts
ALTER TABLE `chat_flow` ADD COLUMN `followUpPrompts` TEXT;
ALTER TABLE `chat_message` ADD COLUMN `followUpPrompts` TEXT;

-- migration 1733011290987-AddTypeToAssistant
ALTER TABLE `assistant` ADD COLUMN `type` TEXT;
UPDATE `assistant` SET `type` = 'OPENAI';

